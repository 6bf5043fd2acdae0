//! Preloaded into a program (`LD_PRELOAD`), kills it before the n-th of the calls that make something durable: a
//! synced, renamed, removed or cut file, or a folder made. So a test can end a program between any two steps.
//!
//! `STEPS_OF` names the program, for the variables reach its children too; `STEPS_UNTIL` is n, from 1. Each step
//! that is let through is counted. Must not know what the program does.

#![expect(unsafe_code, reason = "it stands in for functions of the C library")]

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::{mode_t, off_t};

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Before which step this process ends; none for other programs than the one that is meant.
fn last() -> Option<u64> {
    static LAST: OnceLock<Option<u64>> = OnceLock::new();
    *LAST.get_or_init(|| {
        let own = std::fs::read_link("/proc/self/exe").ok()?;
        let is_meant = own.file_name()? == std::env::var_os("STEPS_OF")?;
        let until = std::env::var("STEPS_UNTIL").ok()?.parse().ok()?;
        is_meant.then_some(until)
    })
}

fn step() {
    if let Some(last) = last()
        && STEPS.fetch_add(1, Ordering::SeqCst) + 1 == last
    {
        // SAFETY: both calls take no pointers.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

/// The function of this name that the program would have called without us.
fn next(name: &CStr) -> *mut libc::c_void {
    // SAFETY: the name ends with a zero byte.
    unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }
}

macro_rules! steps {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {$(
        #[doc = concat!("`", stringify!($name), "`, as a step.")]
        ///
        /// # Safety
        /// As the function of the C library.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name($($argument: $kind),*) -> c_int {
            step();
            let name = CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes());
            let real = next(name.expect("a name has one zero byte, at its end"));
            // SAFETY: the C library's function of this name has this signature, and is always there.
            let real: unsafe extern "C" fn($($kind),*) -> c_int = unsafe { std::mem::transmute(real) };
            // SAFETY: the caller's arguments are passed on as they are.
            unsafe { real($($argument),*) }
        }
    )*};
}

steps! {
    fsync(file: c_int);
    fdatasync(file: c_int);
    rename(from: *const c_char, to: *const c_char);
    renameat(from_folder: c_int, from: *const c_char, to_folder: c_int, to: *const c_char);
    renameat2(from_folder: c_int, from: *const c_char, to_folder: c_int, to: *const c_char, flags: c_uint);
    linkat(from_folder: c_int, from: *const c_char, to_folder: c_int, to: *const c_char, flags: c_int);
    unlink(path: *const c_char);
    unlinkat(folder: c_int, path: *const c_char, flags: c_int);
    rmdir(path: *const c_char);
    mkdir(path: *const c_char, mode: mode_t);
    mkdirat(folder: c_int, path: *const c_char, mode: mode_t);
    ftruncate(file: c_int, length: off_t);
    ftruncate64(file: c_int, length: off_t);
}
