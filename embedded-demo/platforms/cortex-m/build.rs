//! Tells the code which version of the architecture it is for: their memory protection units differ.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(armv7m)");
    if std::env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv7")) {
        println!("cargo::rustc-cfg=armv7m");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
