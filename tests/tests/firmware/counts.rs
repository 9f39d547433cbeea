//! The instructions that the engine takes, against those that it took: `counts.txt`, which
//! `embedded-demo/README.md` says how to renew.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The counts that are kept: a line that names the compiler, then `board, work, units, instructions`.
const KEPT: &str = include_str!("counts.txt");

/// By how much a count may differ from the one that is kept: what grew more has become worse, and where
/// one shrank more, the kept one no longer notices that it grows again.
const CHANGE: f64 = 1.02;

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
fn the_engine_takes_the_instructions_that_it_did() {
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
    let changed = |is_beyond: fn(f64, f64) -> bool| -> Vec<String> {
        let changed =
            found.iter().filter(|(work, now)| is_beyond(**now as f64, kept[*work] as f64));
        let line = |((board, work), now): (&(&str, &str), &u64)| {
            format!("{board}: {work}: {} to {now}", kept[&(*board, *work)])
        };
        changed.map(line).collect()
    };
    let grown = changed(|now, kept| now > kept * CHANGE);
    assert_eq!(grown, [""; 0], "slower: mend it, or renew counts.txt if it is worth it");
    let shrunk = changed(|now, kept| now * CHANGE < kept);
    assert_eq!(
        shrunk, [""; 0],
        "faster: renew counts.txt, by the command in embedded-demo/README.md"
    );
}
