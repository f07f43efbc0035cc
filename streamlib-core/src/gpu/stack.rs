//! Room for compilers, which recurse as deep as what they read is nested.

use std::panic::resume_unwind;
use std::thread;

/// What a level of a shader may take, and what there is anyway.
const LEVEL: usize = 2 << 10;
const LEAST: usize = 8 << 20;

/// No shader is longer: beyond it, something else is meant.
pub(super) const LONGEST: usize = 1 << 20;

/// Runs `work`, which compiles so many bytes, where it cannot run out of stack: no text may end the program. A shader's nesting has at most a level a byte.
pub(super) fn with_room<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> Result<T, String> {
    if bytes > LONGEST {
        return Err(format!(": it has {bytes} bytes, and no more than {LONGEST} are compiled"));
    }
    thread::scope(|scope| {
        let compiler = thread::Builder::new().name("streamlib-compile".into()).stack_size(LEAST + bytes * LEVEL);
        let compiler = compiler.spawn_scoped(scope, work).map_err(|error| format!(": there is no thread for it: {error}"))?;
        Ok(compiler.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}
