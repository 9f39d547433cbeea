//! Sets `cfg(armv7m)` for Armv7-M, whose memory protection unit differs from that of Armv8-M.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(armv7m)");
    if std::env::var("TARGET").is_ok_and(|target| target.starts_with("thumbv7")) {
        println!("cargo::rustc-cfg=armv7m");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
