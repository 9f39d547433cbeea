//! Keeps freed device memory for the next allocation of the same size, so that a training step asks the
//! driver for none: the functions here replace the driver's two for everything that dfdx and this crate
//! allocate.
//!
//! Memory is freed and allocated again in the order of one stream, as in the driver's own pool: the new
//! owner's writes come after the previous owner's reads. When the driver has no memory left, everything that
//! is kept is freed, and the driver is asked again.
//!
//! `EXPE_CUDA_REUSE=0` switches reuse off, for tools that look for reads of memory that was freed or never
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
/// Sizes are rounded up to a multiple of this, which is also the driver's alignment.
const GRAIN: usize = 512;

/// The driver's functions.
static DRIVER: OnceLock<(Allocate, Free)> = OnceLock::new();
static POOL: Mutex<Pool> = Mutex::new(Pool::new());

/// The context and the size in bytes of each allocation, by address.
type Sizes = BTreeMap<u64, (usize, usize)>;

struct Pool {
    /// Everything that the driver has allocated and not freed.
    sizes: Sizes,
    /// What is kept, by context, stream, and size in bytes.
    kept: BTreeMap<(usize, usize, usize), Vec<u64>>,
}

impl Pool {
    const fn new() -> Self {
        Self { sizes: BTreeMap::new(), kept: BTreeMap::new() }
    }

    /// Returns how many bytes are kept in a context.
    fn bytes(&self, context: usize) -> usize {
        let of_context = self.kept.iter().filter(|((found, ..), _)| *found == context);
        of_context.map(|((_, _, bytes), list)| bytes * list.len()).sum()
    }

    /// Removes everything that is kept in a context.
    fn clear(&mut self, context: usize) -> Vec<(usize, u64)> {
        let Self { sizes, kept } = self;
        let mut all = Vec::new();
        kept.retain(|(found, stream, _), list| {
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

/// Replaces the driver's functions; the driver was just opened and is not yet used.
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

/// Returns how many bytes are kept in the current context; they are as good as free.
pub fn kept() -> usize {
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
    if let Some(list) = pool().kept.get_mut(&(context, stream as usize, bytes))
        && let Some(found) = list.pop()
    {
        // SAFETY: `address` is valid for writes, as the driver requires of its caller.
        unsafe { *address = found };
        return 0;
    }
    // SAFETY: the caller's promise; what is freed came from the driver, and nobody else has it.
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
        pool.kept.entry((context, stream as usize, bytes)).or_default().push(address);
        return 0;
    }
    drop(pool);
    // SAFETY: the caller's promise.
    DRIVER.get().map_or(0, |(_, free)| unsafe { free(address, stream) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_memory_is_counted_and_removed_by_context() {
        let mut pool = Pool::new();
        for (context, address, bytes) in [(1, 10, 512), (1, 20, 512), (1, 30, 1024), (2, 40, 512)] {
            pool.sizes.insert(address, (context, bytes));
            pool.kept.entry((context, 7, bytes)).or_default().push(address);
        }
        assert_eq!((pool.bytes(1), pool.bytes(2), pool.bytes(3)), (2048, 512, 0));
        let mut all = pool.clear(1);
        all.sort_unstable();
        assert_eq!(all, [(7, 10), (7, 20), (7, 30)]);
        assert_eq!((pool.bytes(1), pool.bytes(2), pool.sizes.len()), (0, 512, 1));
    }
}
