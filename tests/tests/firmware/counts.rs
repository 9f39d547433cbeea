//! The instructions that the engine takes, compared with the recorded counts in `counts.txt`.
//! `embedded-demo/README.md` describes how to record them again.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The recorded counts: a line that names the compiler, then lines of `board, work, units, instructions`.
const RECORDED: &str = include_str!("counts.txt");

/// The factor by which a count may differ from the recorded one, in both directions: after a larger decrease
/// the recorded count would no longer detect an increase.
const TOLERANCE: f64 = 1.02;

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

/// Returns the version of the firmware's compiler, on which the counts depend.
fn compiler() -> String {
    let rustc = Path::new(env!("CARGO_MANIFEST_DIR")).join("../embedded-demo/toolchain/rustc");
    let output =
        Command::new(rustc).arg("--version").output().expect("the compiler can be started");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn instruction_counts_stay_within_two_percent_of_the_recorded_ones() {
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
    let (recorded_with, recorded) = RECORDED.split_once('\n').unwrap();
    let recorded = counts(recorded);
    assert_eq!(found.keys().collect::<Vec<_>>(), recorded.keys().collect::<Vec<_>>(), "{text}");

    let compiler = compiler();
    if compiler != recorded_with {
        println!("not compared: counts.txt was recorded with {recorded_with}, this is {compiler}");
        return;
    }
    let changed = |exceeds: fn(f64, f64) -> bool| -> Vec<String> {
        let changed =
            found.iter().filter(|(work, now)| exceeds(**now as f64, recorded[*work] as f64));
        let line = |((board, work), now): (&(&str, &str), &u64)| {
            format!("{board}: {work}: {} to {now}", recorded[&(*board, *work)])
        };
        changed.map(line).collect()
    };
    let grown = changed(|now, recorded| now > recorded * TOLERANCE);
    assert_eq!(
        grown, [""; 0],
        "slower: fix it, or record counts.txt again if the change is worth it"
    );
    let shrunk = changed(|now, recorded| now * TOLERANCE < recorded);
    assert_eq!(
        shrunk, [""; 0],
        "faster: record counts.txt again, as embedded-demo/README.md describes"
    );
}
