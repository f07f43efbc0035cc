//! The machine that figures come from: none is worth anything without its name.

use std::process::Command;

use streamlib::{GpuContext, GpuOptions};

/// Prints what was run, on what and when, above the tables.
pub fn describe(command: &str) {
    let date = Command::new("date").arg("-u").arg("+%F %H:%M UTC").output();
    let date = date.ok().and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let profile = if cfg!(debug_assertions) { " (not a release build)" } else { "" };
    println!("`{command}`{profile}, {}, {}, load {}\n", name(), date.trim(), load());
}

/// The processor and how many cores of it, and the adapter that streamlib chooses.
fn name() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let adapter = GpuContext::new(&GpuOptions::default()).map(|gpu| gpu.adapter_choice().chosen.name.clone());
    format!("{} x {}, adapter {}", cores, processor(), adapter.unwrap_or_else(|error| error.to_string()))
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.into(), |(_, model)| model.to_owned())
}

/// How many threads have wanted to run on average over the last one, five and fifteen minutes; empty where nobody counts.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(", ")
}
