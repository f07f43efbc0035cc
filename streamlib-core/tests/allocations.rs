//! In the steady state the engine allocates nothing for a message: ten nodes, on one thread and over queues between threads.

#![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]
#![allow(unsafe_code, reason = "a counting global allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use streamlib_core::*;

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM: u64 = 1_000;
const MEASURED: u64 = 10_000;

#[derive(Clone)]
struct Number(u64);

impl Message for Number {}

struct Numbers(u64);

impl Source<Number> for Numbers {
    fn produce(&mut self, _: &mut Context<'_>) -> Result<Next<Number>> {
        self.0 += 1;
        Ok(if self.0 > WARM + MEASURED { Next::End } else { Next::Item(Number(self.0)) })
    }
}

struct Pass(Threading);

impl Filter<Number, Number> for Pass {
    fn threading(&self) -> Threading {
        self.0
    }
    fn process(&mut self, number: Number, _: &mut Context<'_>) -> Result<Number> {
        Ok(number)
    }
}

/// Notes the number of allocations when warm and at the end.
struct Note(Arc<Mutex<[u64; 2]>>);

impl Sink<Number> for Note {
    fn consume(&mut self, number: Number, _: &mut Context<'_>) -> Result<()> {
        if number.0 == WARM || number.0 == WARM + MEASURED {
            self.0.lock().unwrap()[usize::from(number.0 != WARM)] = ALLOCATIONS.load(Ordering::Relaxed);
        }
        Ok(())
    }
}

/// One test, so that no other test's allocations are counted.
#[test]
fn no_allocation_a_message() {
    for threading in [Threading::Shared, Threading::Own] {
        let noted = Arc::new(Mutex::new([0; 2]));
        let mut graph = Graph::new();
        graph.add("0", Numbers(0)).unwrap();
        for node in 1..9 {
            graph.add(node.to_string(), Pass(threading)).unwrap();
            graph.connect(&(node - 1).to_string(), &node.to_string()).unwrap();
        }
        graph.add("9", Note(noted.clone())).unwrap();
        graph.connect("8", "9").unwrap();
        let options = RuntimeOptions { mode: Mode::Offline, stop_on_signals: false, ..Default::default() };
        let statistics = Runtime::new(options).run(graph).unwrap();
        assert_eq!(statistics.unbalanced_links(), Vec::<&str>::new());
        let [warm, end] = *noted.lock().unwrap();
        assert!(warm > 0, "the allocator counts");
        assert_eq!(end - warm, 0, "allocations for {MEASURED} messages through 10 nodes, {threading:?}");
    }
}
