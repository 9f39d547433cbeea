use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// Numbers that an operation owns, in memory that this thread used before if possible: the kernel clears a
/// new block of memory and maps it page by page.
#[derive(Debug, Default)]
pub struct Buffer {
    data: Vec<f32>,
    length: usize,
}

/// The most buffers that a thread keeps.
const KEPT: usize = 64;

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

impl Buffer {
    /// Allocates `length` numbers of any value.
    pub fn new(length: usize) -> Self {
        let reused = FREE.with_borrow_mut(|free| {
            let fits = |data: &Vec<f32>| data.len() >= length && data.len() / 2 <= length;
            let index = free.iter().rposition(fits)?;
            Some(free.swap_remove(index))
        });
        Self { data: reused.unwrap_or_else(|| vec![0.0; length]), length }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let data = std::mem::take(&mut self.data);
        // The list is gone when the thread ends; the numbers are freed then.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            if free.len() == KEPT {
                free.remove(0);
            }
            free.push(data);
        });
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_reuses_memory_of_about_the_same_size() {
        let mut buffer = Buffer::new(1000);
        buffer.fill(3.0);
        let place = buffer.as_ptr();
        drop(buffer);
        assert_ne!(Buffer::new(10).as_ptr(), place, "far too large");
        let buffer = Buffer::new(900);
        assert_eq!((buffer.as_ptr(), buffer.len(), buffer[899]), (place, 900, 3.0));
        assert_ne!(Buffer::new(900).as_ptr(), place);
    }

    #[test]
    fn a_thread_keeps_a_limited_number_of_buffers() {
        let all: Vec<Buffer> = (0..KEPT + 9).map(|_| Buffer::new(5)).collect();
        drop(all);
        assert_eq!(FREE.with_borrow(Vec::len), KEPT);
    }
}
