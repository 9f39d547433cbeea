//! The instructions that the engine takes, against those that it took: `counts.txt`, which
//! `embedded-demo/README.md` says how to renew.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The counts that are kept: a line that names the compiler, then `board, work, units, instructions`.
const KEPT: &str = include_str!("counts.txt");

/// By how much a count may have grown.
const GROWTH: f64 = 1.02;

type Counts<'t> = BTreeMap<(&'t str, &'t str), u64>;

fn counts(lines: &str) -> Counts<'_> {
    let count = |line| {
        let [board, work, _, instructions] = str::split(line, '\t').collect::<Vec<_>>()[..] else {
            panic!("not a count: {line}")
        };
        ((board, work), instructions.parse().unwrap())
    };
    lines.lines().map(count).collect()
}

/// The compiler of the firmware; its release decides on the instructions.
fn compiler() -> String {
    let rustc = Path::new(env!("CARGO_MANIFEST_DIR")).join("../embedded-demo/toolchain/rustc");
    let output = Command::new(rustc).arg("--version").output().expect("there is a compiler");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_engine_takes_no_more_instructions_than_it_did() {
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--manifest-path", "embedded-demo/runner/Cargo.toml"])
        .args(["--bin", "bench", "--", "--quick", "--lines"])
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("cargo is on the PATH");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let found = counts(&text);
    let (kept_by, kept) = KEPT.split_once('\n').unwrap();
    let kept = counts(kept);
    assert_eq!(found.keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>(), "{text}");

    let compiler = compiler();
    if compiler != kept_by {
        println!("measured with {compiler}, and compared with nothing: counts.txt is of {kept_by}");
        return;
    }
    let grown: Vec<String> = found
        .iter()
        .filter(|(work, now)| **now as f64 > kept[*work] as f64 * GROWTH)
        .map(|((board, work), now)| format!("{board}: {work}: {} to {now}", kept[&(*board, *work)]))
        .collect();
    assert_eq!(grown, [""; 0], "renew counts.txt if this is worth it");
}
