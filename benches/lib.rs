//! What the benchmarks share: measuring two ways of doing the same within one run, and the table that says how they compare.

/// The median of some measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
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
}
