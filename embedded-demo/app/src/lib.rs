//! The board-independent part of the firmware. A board brings an entry point, a log transport and a
//! way to exit, and calls [`run`].
#![no_std]
#![forbid(unsafe_code)]

/// Runs the demo to its end.
pub fn run() {
    defmt::info!("hello: 1/3 = {=f32}", 1.0 / 3.0);
}
