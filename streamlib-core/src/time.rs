//! Integer time: timestamps on the runtime's clock and frame rates as fractions.

use std::fmt;
use std::num::NonZeroU32;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::{Duration, Instant};

use crate::{Error, ErrorKind, Result};

/// Nanoseconds on the runtime's monotonic clock, whose zero is the start of the run.
///
/// Signed, because a camera may have captured its first picture before the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The start of the run.
    pub const ZERO: Self = Self(0);

    /// A timestamp of so many nanoseconds.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the start of the run.
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Seconds since the start of the run, for arithmetic that needs no exactness (physics, display).
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The time from `earlier` to this; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).max(0) as u64)
    }
}

/// The moment after `timeout` from now; a century from now when that is beyond what the system can say.
pub(crate) fn deadline_after(timeout: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let now = Instant::now();
    now.checked_add(timeout.min(CENTURY)).unwrap_or(now)
}

/// Saturates at the ends of the range (292 years).
impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// Saturates at the ends of the range (292 years).
impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// Frames per second as a fraction: 30000/1001 is exact.
///
/// ```
/// use streamlib_core::{FrameRate, Timestamp};
///
/// let ntsc: FrameRate = "30000/1001".parse()?;
/// assert_eq!(ntsc.timestamp_of(30_000), Timestamp::from_nanos(1_001_000_000_000));
/// assert!("0".parse::<FrameRate>().is_err());
/// # Ok::<(), streamlib_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameRate {
    numerator: NonZeroU32,
    denominator: NonZeroU32,
}

impl FrameRate {
    /// `numerator / denominator` frames a second. Neither may be 0.
    pub fn new(numerator: u32, denominator: u32) -> Result<Self> {
        match (NonZeroU32::new(numerator), NonZeroU32::new(denominator)) {
            (Some(numerator), Some(denominator)) => Ok(Self { numerator, denominator }),
            _ => Err(Error::new(ErrorKind::InvalidArgument, format!("a frame rate of {numerator}/{denominator} cannot be"))
                .hint("give frames a second above 0, for example 30 or 30000/1001")),
        }
    }

    /// Frames in `denominator` seconds.
    pub fn numerator(self) -> u32 {
        self.numerator.get()
    }

    /// Seconds in which `numerator` frames pass.
    pub fn denominator(self) -> u32 {
        self.denominator.get()
    }

    /// Frames a second, rounded to a float.
    pub fn as_f64(self) -> f64 {
        f64::from(self.numerator.get()) / f64::from(self.denominator.get())
    }

    /// When frame `index` (from 0) is due, without accumulated rounding: `index * denominator / numerator` seconds.
    pub fn timestamp_of(self, index: u64) -> Timestamp {
        let nanos = u128::from(index) * 1_000_000_000 * u128::from(self.denominator.get()) / u128::from(self.numerator.get());
        Timestamp(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// The last frame that is due at `time`: the inverse of [`timestamp_of`](Self::timestamp_of). 0 before the first.
    pub fn index_at(self, time: Timestamp) -> u64 {
        // timestamp_of rounds down, so frame i is due at `time` if i * denominator * 1e9 / numerator < time + 1.
        let nanos = time.0.max(0) as u128 + 1;
        let index = (nanos * u128::from(self.numerator.get()) - 1) / (u128::from(self.denominator.get()) * 1_000_000_000);
        u64::try_from(index).unwrap_or(u64::MAX)
    }

    /// The time between two frames, rounded down to a nanosecond.
    pub fn interval(self) -> Duration {
        self.timestamp_of(1).saturating_since(Timestamp::ZERO)
    }
}

/// 30 frames a second.
impl Default for FrameRate {
    fn default() -> Self {
        Self { numerator: const { NonZeroU32::new(30).unwrap() }, denominator: NonZeroU32::MIN }
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator.get() {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

impl fmt::Debug for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} fps")
    }
}

/// `30`, `30000/1001` or `29.97` (a decimal is taken as it is written: 2997/100).
impl FromStr for FrameRate {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(ErrorKind::InvalidArgument, format!("'{text}' is no frame rate"))
                .hint("give frames a second above 0, for example 30, 29.97 or 30000/1001")
        };
        let number = |part: &str| part.parse::<u32>().map_err(|_| wrong());
        if let Some((numerator, denominator)) = text.split_once('/') {
            return Self::new(number(numerator)?, number(denominator)?).map_err(|_| wrong());
        }
        if let Some((whole, fraction)) = text.split_once('.') {
            let denominator = 10u32.checked_pow(fraction.len() as u32).ok_or_else(wrong)?;
            return Self::new(number(&format!("{whole}{fraction}"))?, denominator).map_err(|_| wrong());
        }
        Self::new(number(text)?, 1).map_err(|_| wrong())
    }
}

impl serde::Serialize for FrameRate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for FrameRate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "expected frames a second, as 30, 29.97 or \"30000/1001\"")]
        enum Rate {
            Whole(u32),
            Decimal(f64),
            Text(String),
        }
        match Rate::deserialize(deserializer)? {
            Rate::Whole(frames) => Self::new(frames, 1),
            Rate::Decimal(frames) => frames.to_string().parse(),
            Rate::Text(text) => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for FrameRate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "frame rate".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["number", "string"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_parse_as_written_and_print_back() {
        for (text, numerator, denominator) in
            [("30", 30, 1), ("29.97", 2997, 100), ("30000/1001", 30_000, 1001), ("1000", 1000, 1)]
        {
            let rate: FrameRate = text.parse().unwrap();
            assert_eq!((rate.numerator(), rate.denominator()), (numerator, denominator));
            assert_eq!(rate.to_string().parse::<FrameRate>().unwrap(), rate);
        }
        for text in ["0", "0/1", "1/0", "", "-1", "fast", "1.2.3", "0.0", "4294967296"] {
            assert_eq!(text.parse::<FrameRate>().unwrap_err().kind(), ErrorKind::InvalidArgument, "{text}");
        }
    }

    #[test]
    fn frame_times_do_not_drift() {
        let rate = FrameRate::new(30_000, 1001).unwrap();
        assert_eq!(rate.timestamp_of(30_000 * 3600).as_nanos(), 3600 * 1001 * 1_000_000_000);
        assert_eq!(FrameRate::new(u32::MAX, 1).unwrap().timestamp_of(u64::MAX).as_nanos(), 4_294_967_297_000_000_000);
    }

    #[test]
    fn the_index_of_a_time_is_the_last_frame_due() {
        for (numerator, denominator) in [(30, 1), (30_000, 1001), (1, 7), (1_000_000_000, 1), (u32::MAX, 1)] {
            let rate = FrameRate::new(numerator, denominator).unwrap();
            for index in [0, 1, 2, 29, 30, 12_345, 1_000_000_007] {
                let due = rate.timestamp_of(index);
                let last = rate.index_at(due);
                assert!(last >= index && rate.timestamp_of(last) <= due && rate.timestamp_of(last + 1) > due, "{rate}: {index}");
            }
        }
        assert_eq!(FrameRate::default().index_at(Timestamp::from_nanos(-5)), 0);
    }

    #[test]
    fn timestamps_saturate() {
        assert_eq!(Timestamp::from_nanos(i64::MAX) + Duration::from_secs(1), Timestamp::from_nanos(i64::MAX));
        assert_eq!(Timestamp::from_nanos(5).saturating_since(Timestamp::from_nanos(9)), Duration::ZERO);
    }
}
