//! A ball bounces over live video: from a camera, or a test pattern, to windows, recordings or nowhere.
//!
//! `cargo run --release --example camera_with_bouncing_ball -- --help` lists the flags.

use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use clap::Parser;
use streamlib::camera::Backend;
use streamlib::display::has_screen;
use streamlib::prelude::*;
use streamlib::{AdapterOptions, GpuOptions};

#[derive(Parser)]
struct Arguments {
    /// auto, camera, camera:NAME_OR_INDEX or test-pattern; auto is the first camera, or the test pattern if there is none.
    #[arg(long, default_value = "auto")]
    source: String,
    /// auto, window, record:PATH.mp4 or null; may be repeated. auto is a window, or bouncing_ball.mp4 if there is no screen.
    #[arg(long = "sink", default_value = "auto")]
    sinks: Vec<String>,
    /// The picture's size, as 1280x720; a camera's nearest.
    #[arg(long)]
    size: Option<Size>,
    /// Frames a second; a camera's nearest.
    #[arg(long)]
    fps: Option<FrameRate>,
    /// End when every sink has had so many frames.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    frames: Option<u64>,
    /// End after so many seconds.
    #[arg(long, value_parser = seconds, allow_negative_numbers = true)]
    seconds: Option<Duration>,
    /// As fast as it goes, losing nothing; not with a camera.
    #[arg(long)]
    offline: bool,
    /// Write statistics as JSON to this file at the end; - is standard output.
    #[arg(long)]
    stats: Option<String>,
    /// Use the first GPU adapter whose name contains this.
    #[arg(long)]
    adapter: Option<String>,
    /// Which code talks to the camera: auto, v4l or nokhwa.
    #[arg(long, default_value = "auto")]
    backend: Backend,
}

/// A time above 0.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|seconds| !seconds.is_zero()).ok_or_else(|| format!("'{text}' is no time; give seconds above 0"))
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_env_filter(filter()).with_writer(stderr).init();

    if let Some(path) = arguments.stats.as_deref().filter(|path| *path != "-") {
        // Better known now than after the run.
        std::fs::write(path, "").map_err(|error| unwritable(path, &error))?;
    }
    let mut graph = Graph::new();
    let source = add_source(&mut graph, &arguments)?;
    let ball = graph.add_unnamed(BouncingBall::default())?;
    graph.connect(&source, &ball)?;
    let mut sinks = Vec::new();
    for sink in &arguments.sinks {
        let sink = add_sink(&mut graph, sink)?;
        graph.connect(&ball, &sink)?;
        sinks.push(sink);
    }
    let frames = |statistics: &Statistics| sinks.iter().map(|sink| statistics.nodes[sink].processed).min().unwrap_or(0);

    let mode = if arguments.offline { Mode::Offline } else { Mode::Live };
    let gpu = GpuOptions { adapter: AdapterOptions { name: arguments.adapter, ..Default::default() }, ..Default::default() };
    let options = RuntimeOptions { mode, frames: arguments.frames, duration: arguments.seconds, gpu, ..Default::default() };
    let mut last = None;
    let outcome = Runtime::new(options).run_with(graph, Duration::from_millis(250), |running| {
        let statistics = running.statistics();
        if stderr().is_terminal() {
            let _ = write!(stderr(), "\r{} frames in {:.1} s ", frames(&statistics), statistics.seconds);
        }
        last = Some(statistics);
    });
    if let Some(statistics) = last {
        let dropped: u64 = statistics.links.values().map(|link| link.counts.dropped.overflow).sum();
        let lost = if dropped == 0 { String::new() } else { format!("; {dropped} dropped, because a sink could not keep up") };
        let _ = writeln!(stderr(), "\r{} frames in {:.1} s{lost}.", frames(&statistics), statistics.seconds);
        let written = write_statistics(&statistics, arguments.stats.as_deref());
        return outcome.and(written);
    }
    outcome.map(drop)
}

fn add_source(graph: &mut Graph, arguments: &Arguments) -> Result<String> {
    let camera = |device: &str| {
        if arguments.offline {
            return Err(wrong("a camera cannot be run offline", "leave out --offline, or use --source test-pattern"));
        }
        let device = if device.is_empty() { Default::default() } else { device.parse()? };
        let (size, rate, backend) = (arguments.size, arguments.fps, arguments.backend);
        Camera::new(CaptureOptions { device, backend, size, rate, ..Default::default() })
    };
    match arguments.source.split_once(':').unwrap_or((&arguments.source, "")) {
        ("camera", device) => graph.add_unnamed(camera(device)?),
        ("auto", "") if !arguments.offline && !streamlib::camera::list(arguments.backend)?.is_empty() => {
            graph.add_unnamed(camera("")?)
        }
        (name @ ("auto" | "test-pattern"), "") => {
            if name == "auto" {
                let there = !streamlib::camera::list(arguments.backend)?.is_empty();
                say(if there {
                    "Offline the camera is not used: a test pattern takes its place."
                } else {
                    "There is no camera: a test pattern takes its place."
                });
            }
            let default = TestPatternParameters::default();
            let (size, rate) = (arguments.size.unwrap_or(default.size), arguments.fps.unwrap_or(default.rate));
            graph.add_unnamed(TestPattern::new(TestPatternParameters { size, rate })?)
        }
        _ => Err(wrong(
            &format!("there is no source '{}'", arguments.source),
            "use auto, camera, camera:NAME_OR_INDEX or test-pattern",
        )),
    }
}

fn add_sink(graph: &mut Graph, sink: &str) -> Result<String> {
    match sink.split_once(':').unwrap_or((sink, "")) {
        ("window", "") => graph.add_unnamed(Display::titled("Bouncing ball")),
        ("auto", "") if has_screen() => graph.add_unnamed(Display::titled("Bouncing ball")),
        ("auto", "") => {
            say("There is no screen: recording to bouncing_ball.mp4, until Ctrl-C if nothing else ends it.");
            graph.add_unnamed(Record::to("bouncing_ball.mp4"))
        }
        ("record", "") => Err(wrong("a recording needs a path", "write --sink record:ball.mp4")),
        ("record", path) => graph.add_unnamed(Record::to(path)),
        ("null", "") => graph.add_unnamed(Null::default()),
        _ => Err(wrong(&format!("there is no sink '{sink}'"), "use auto, window, record:PATH.mp4 or null")),
    }
}

fn write_statistics(statistics: &Statistics, path: Option<&str>) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let json = serde_json::to_string_pretty(statistics).map_err(|error| wrong(&error.to_string(), "report this"))?;
    let written = if path == "-" { writeln!(stdout(), "{json}") } else { std::fs::write(path, json + "\n") };
    written.map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &str, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write '{path}': {error}")).hint("pass another path to --stats")
}

/// Warnings, unless RUST_LOG says otherwise; not those about drivers and screen settings that are not needed.
fn filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "warn,wgpu_hal=error,wgpu_hal::gles=off,winit=error".into())
}

fn say(text: &str) {
    let _ = writeln!(stderr(), "{text}");
}

fn wrong(message: &str, hint: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, message).hint(hint)
}
