//! Runs the constructors of linked libraries once, by hand.
//!
//! A dependency of the GPU backend registers itself through constructors. Unless somebody calls `__wasm_call_ctors`,
//! the linker wraps every export so that all of them run again at each call, thousands at a time, which took most of
//! the time of a run when it was measured (a token of a 1M model: 1,470 ms before, 109 ms after). The build checks
//! that no such wrapper is left.

#[expect(unsafe_code, reason = "the linker's own function has no safe name")]
mod linker {
    unsafe extern "C" {
        pub fn __wasm_call_ctors();
    }

    pub fn call() {
        // SAFETY: called once, before any other export can run.
        unsafe { __wasm_call_ctors() }
    }
}

/// Runs them, the first time it is called; to be called before anything else.
pub(super) fn run() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(linker::call);
}
