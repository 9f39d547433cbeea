//! Programs that contain only the engine, to measure its size in flash: from a model file to the most likely token,
//! one token at a time. They are never run. `black_box` hides all inputs from the optimizer.
#![no_std]

use core::hint::black_box;
use core::panic::PanicInfo;

use expe_core::position::{Expe, Position, PositionEncoding};
use expe_core::{Attend, CacheFormat, Decoder, Logit, Model};

/// Decodes a prompt and returns the most likely next token. Uses the arithmetic `A`, a cache in the format `S` and the
/// position encoding that `position` returns for the model.
pub fn decode<A, S, P>(position: impl Fn(&Model<'static>) -> Option<P>) -> Option<u32>
where
    P: PositionEncoding,
    A: Attend<S>,
    S: CacheFormat,
{
    let file: &'static [u8] = black_box(&[]);
    let (prompt, context): (&'static [u32], usize) = black_box((&[], 0));
    let (cache, workspace): (&'static mut [u32], &'static mut [u32]) =
        black_box((&mut [], &mut []));
    let model = Model::new(file).ok()?;
    let decoder = Decoder::<_, A>::with_arithmetic(&model, position(&model)?).ok()?;
    let mut cache = decoder.cache::<S>(context, cache).ok()?;
    let mut workspace = decoder.workspace(1, context, workspace).ok()?;
    let mut likeliest = 0;
    for token in prompt {
        let logits = decoder.forward(&[*token], &mut cache, &mut workspace).ok()?;
        let (token, _) = (0u32..).zip(logits).max_by_key(|(_, logit)| logit.order())?;
        likeliest = token;
    }
    Some(likeliest)
}

/// Creates an ExPE encoding, regardless of the encoding of the model.
pub fn expe(_: &Model<'static>) -> Option<Expe> {
    let (start, step, width) = black_box((0.0, 0.0, 0));
    Expe::new(start, step, width).ok()
}

/// Creates the position encoding of the model.
pub fn any(model: &Model<'static>) -> Option<Position<'static>> {
    model.position().ok()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
