//! The code in the READMEs is the code that is compiled.

const EXAMPLE: &str = include_str!("../../core/examples/firmware.rs");

#[test]
fn firmware_examples_are_the_compiled_one() {
    let start = EXAMPLE.find("use expe_core").expect("the example has imports");
    let end = EXAMPLE.find("\nfn main()").expect("the example has a main function");
    let shown = EXAMPLE[start..end].trim_end();
    for (name, readme) in [
        ("README.md", include_str!("../../README.md")),
        ("core/README.md", include_str!("../../core/README.md")),
    ] {
        assert!(readme.contains(shown), "{name} shows other code than core/examples/firmware.rs");
    }
}
