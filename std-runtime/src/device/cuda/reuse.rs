//! Device memory that is freed waits here for the next allocation of its size, so that the driver is asked
//! for none once a training step has been made: its own calls stand in front of the driver's two, for what
//! dfdx allocates and for what this crate does.
//!
//! Memory is freed and taken again in the order of one stream, as with the driver's own pool: whoever
//! gets it writes after all who read it before. Where the driver has no memory left, everything
//! that waits is given back, and it is asked again.
//!
//! `EXPE_CUDA_REUSE=0` switches it off, for tools that look for reads of memory that is freed or was never
//! written.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::env;
use std::ffi::{c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

type Allocate = unsafe extern "C" fn(*mut u64, usize, *mut c_void) -> c_int;
type Free = unsafe extern "C" fn(u64, *mut c_void) -> c_int;

unsafe extern "C" {
    fn expe_cuda_replace(name: *const c_char, function: *mut c_void) -> *mut c_void;
    fn cuCtxGetCurrent(context: *mut *mut c_void) -> c_int;
    fn cuStreamSynchronize(stream: *mut c_void) -> c_int;
}

const OUT_OF_MEMORY: c_int = 2;
/// Sizes are rounded up to a multiple of this, which is also how the driver aligns.
const GRAIN: usize = 512;

/// The driver's functions.
static DRIVER: OnceLock<(Allocate, Free)> = OnceLock::new();
static POOL: Mutex<Pool> = Mutex::new(Pool::new());

/// Memory by its address: the context that it belongs to, and its bytes.
type Sizes = BTreeMap<u64, (usize, usize)>;

struct Pool {
    /// All that the driver has given and not got back.
    sizes: Sizes,
    /// What waits, by context, stream and bytes.
    waiting: BTreeMap<(usize, usize, usize), Vec<u64>>,
}

impl Pool {
    const fn new() -> Self {
        Self { sizes: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    /// Bytes that wait.
    fn bytes(&self, context: usize) -> usize {
        let of_context = self.waiting.iter().filter(|((found, ..), _)| *found == context);
        of_context.map(|((_, _, bytes), list)| bytes * list.len()).sum()
    }

    /// Take out all that waits in a context.
    fn clear(&mut self, context: usize) -> Vec<(usize, u64)> {
        let Self { sizes, waiting } = self;
        let mut all = Vec::new();
        waiting.retain(|(found, stream, _), list| {
            if *found == context {
                all.extend(list.drain(..).map(|address| (*stream, address)));
            }
            *found != context
        });
        for (_, address) in &all {
            sizes.remove(address);
        }
        all
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn context() -> usize {
    let mut context = ptr::null_mut();
    // SAFETY: the driver is open, and writes one address.
    unsafe { cuCtxGetCurrent(&raw mut context) };
    context as usize
}

/// Stand in front of the driver, which was just opened and not yet used.
pub fn install() {
    if env::var("EXPE_CUDA_REUSE").is_ok_and(|value| value == "0") {
        return;
    }
    let replace = |name: &'static std::ffi::CStr, function: *mut c_void| {
        // SAFETY: the name ends with a zero byte, the function has the signature of the one of that name;
        // nothing calls the driver while it is opened.
        unsafe { expe_cuda_replace(name.as_ptr(), function) }
    };
    DRIVER.get_or_init(|| {
        let allocate = replace(c"cuMemAllocAsync", allocate as Allocate as *mut c_void);
        let free = replace(c"cuMemFreeAsync", free as Free as *mut c_void);
        // SAFETY: the functions that the driver has under these names, or those that only fail.
        unsafe {
            (transmute::<*mut c_void, Allocate>(allocate), transmute::<*mut c_void, Free>(free))
        }
    });
}

/// Bytes that wait in the current context, and are as good as free.
pub fn waiting() -> usize {
    pool().bytes(context())
}

/// `cuMemAllocAsync`.
///
/// # Safety
/// As the driver's.
unsafe extern "C" fn allocate(address: *mut u64, bytes: usize, stream: *mut c_void) -> c_int {
    let Some((allocate, free)) = DRIVER.get() else { return OUT_OF_MEMORY };
    let context = context();
    let Some(bytes) = bytes.checked_next_multiple_of(GRAIN) else { return OUT_OF_MEMORY };
    if let Some(list) = pool().waiting.get_mut(&(context, stream as usize, bytes)) {
        if let Some(found) = list.pop() {
            // SAFETY: the caller's place for an address.
            unsafe { *address = found };
            return 0;
        }
    }
    // SAFETY: what the caller promises; what is given back was the driver's, and nobody has it.
    unsafe {
        let mut code = allocate(address, bytes, stream);
        if code == OUT_OF_MEMORY {
            for (stream, address) in pool().clear(context) {
                free(address, stream as *mut c_void);
            }
            cuStreamSynchronize(stream);
            code = allocate(address, bytes, stream);
        }
        if code == 0 && bytes > 0 {
            pool().sizes.insert(*address, (context, bytes));
        }
        code
    }
}

/// `cuMemFreeAsync`.
///
/// # Safety
/// As the driver's.
unsafe extern "C" fn free(address: u64, stream: *mut c_void) -> c_int {
    let mut pool = pool();
    if let Some(&(context, bytes)) = pool.sizes.get(&address) {
        pool.waiting.entry((context, stream as usize, bytes)).or_default().push(address);
        return 0;
    }
    drop(pool);
    // SAFETY: what the caller promises.
    DRIVER.get().map_or(0, |(_, free)| unsafe { free(address, stream) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_by_context_and_taken_out_as_a_whole() {
        let mut pool = Pool::new();
        for (context, address, bytes) in [(1, 10, 512), (1, 20, 512), (1, 30, 1024), (2, 40, 512)] {
            pool.sizes.insert(address, (context, bytes));
            pool.waiting.entry((context, 7, bytes)).or_default().push(address);
        }
        assert_eq!((pool.bytes(1), pool.bytes(2), pool.bytes(3)), (2048, 512, 0));
        let mut all = pool.clear(1);
        all.sort_unstable();
        assert_eq!(all, [(7, 10), (7, 20), (7, 30)]);
        assert_eq!((pool.bytes(1), pool.bytes(2), pool.sizes.len()), (0, 512, 1));
    }
}
