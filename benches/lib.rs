//! What the benchmarks share: measuring two ways of doing the same within one run, programs written by hand to compare with, and
//! the tables that say how they compare.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "programs that print tables and may stop where they fail")]

pub mod bare_encoder;
pub mod by_hand;
pub mod chain_by_hand;
pub mod machine;
pub mod pictures;
pub mod watch;

/// The median of some measurements.
pub fn median(values: Vec<f64>) -> f64 {
    quantile(values, 0.5)
}

/// The value that `part` of the measurements, from 0 to 1, stay below; NaN of none.
pub fn quantile(mut values: Vec<f64>, part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * part) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// The word for a limit that is kept, or is not.
pub fn verdict(kept: bool) -> &'static str {
    if kept { "kept" } else { "**missed**" }
}

/// Whether Cargo runs the benches as tests, with `--test`: there is nothing to test then.
pub fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

/// Two ways measured in turn, so that whatever else the machine does meets both.
pub struct Comparison {
    /// Seconds of the first way, round by round.
    pub limit: Vec<f64>,
    /// Seconds of the second way, round by round.
    pub ours: Vec<f64>,
}

impl Comparison {
    /// Measures each way once to warm up, then `rounds` times in turn.
    pub fn measure(rounds: usize, mut limit: impl FnMut() -> f64, mut ours: impl FnMut() -> f64) -> Self {
        limit();
        ours();
        let (limit, ours) = (0..rounds).map(|_| (limit(), ours())).unzip();
        Self { limit, ours }
    }

    /// How fast ours is beside the limit: the median of the rounds' ratios; 1 is as fast.
    pub fn ratio(&self) -> f64 {
        median(self.limit.iter().zip(&self.ours).map(|(limit, ours)| limit / ours).collect())
    }

    /// The medians of both ways in seconds: the limit's, ours.
    pub fn medians(&self) -> (f64, f64) {
        (median(self.limit.clone()), median(self.ours.clone()))
    }
}
