/// The whole program of a board's benchmark, which `expe_demo_app::bench` is: the attribute of the entry
/// point; the platform's `measure` and what it is told, such as the processor's clock in Hz; where the
/// emulator loads a model, in memory of the board that the linker does not know; whether it computes in
/// floats too.
#[macro_export]
macro_rules! bench {
    ($entry:meta, $measure:path, [$($argument:expr),*], $model:expr, $floats:expr) => {
        const WORDS: usize = expe_demo_app::bench::words($floats);

        static MEMORY: static_cell::ConstStaticCell<[u32; WORDS]> =
            static_cell::ConstStaticCell::new([0; WORDS]);

        #[$entry]
        fn main() -> ! {
            $measure($($argument,)* |machine| {
                // SAFETY: nothing else uses this memory.
                let file = unsafe { $crate::loaded($model) };
                let memory = MEMORY.try_take().ok_or(expe_demo_app::Error::Running)?;
                expe_demo_app::bench::run::<{ $floats }>(file, memory, machine)
            })
        }
    };
}
