//! The allocator of the program: mimalloc, which gives back what is freed. A plan makes millions of
//! small things on several threads, phase by phase; the system's allocator takes longer for that,
//! and mimalloc as it comes keeps what one phase has freed while the next one takes more.

use std::sync::Once;

use libmimalloc_sys::mi_option_set;
pub use mimalloc::MiMalloc;

/// The allocator. The program declares it as its own, and calls [`give_back`] first of all.
pub const ALLOCATOR: MiMalloc = MiMalloc;

/// `mi_option_purge_delay` of mimalloc.h: after how many milliseconds freed memory is given back.
/// Its number is not among those that the bindings name; the test holds that it is this one.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// The default of `mi_option_purge_delay`, in milliseconds.
const DEFAULT: std::ffi::c_long = 10;

/// From now on memory goes back to the system as soon as it is freed.
pub fn give_back() {
    // SAFETY: sets a number in a table of mimalloc's own. It checks that the option exists, and may
    // be called at any time, although two threads should not do so at once: this is called once,
    // before there are threads.
    unsafe { mi_option_set(PURGE_DELAY, 0) }
}

/// From now on memory goes back only when nobody has taken it for a while: what one phase has freed is
/// mostly there for the next one, which saves the system the work of clearing it.
pub fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: as above, and nobody else sets the number at this moment. Other threads may read it:
        // it is one aligned word, and the old and the new number will both do.
        unsafe { mi_option_set(PURGE_DELAY, DEFAULT) }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_the_environment_calls_purge_delay() {
        // SAFETY: reads a number in a table of mimalloc's own.
        let before = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(before, DEFAULT, "the default of `mi_option_purge_delay` in mimalloc.h");
        give_back();
        // SAFETY: as above.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }, 0);
        keep();
        // SAFETY: as above.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }, DEFAULT);
    }
}
