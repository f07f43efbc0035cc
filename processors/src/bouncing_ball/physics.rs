//! Where the ball is. Lengths are in picture heights, so that the ball behaves alike in every resolution.

use streamlib_core::Timestamp;

/// Steps of the simulation a second. Fixed, so that the ball's way does not depend on the frame rate.
const STEPS_PER_SECOND: i64 = 480;

/// Below this speed after a bounce, in heights a second, the ball is thrown up again.
const REST_SPEED: f64 = 0.25;

/// Where the ball starts: a quarter of the way from the left, near the top.
const START: (f64, f64) = (0.25, 0.2);

#[derive(Clone, Debug)]
pub(super) struct Physics {
    pub(super) gravity: f64,
    pub(super) damping: f64,
    pub(super) radius: f64,
    speed: f64,
    /// Picture width by height.
    pub(super) aspect: f64,
    origin: Option<Timestamp>,
    steps: i64,
    position: (f64, f64),
    velocity: (f64, f64),
}

impl Physics {
    pub(super) fn new(gravity: f64, damping: f64, radius: f64, speed: f64) -> Self {
        let velocity = (speed, 0.0);
        Self { gravity, damping, radius, speed, aspect: 1.0, origin: None, steps: 0, position: START, velocity }
    }

    /// Takes the constants of `other` and its sideways speed; the ball goes on from where it is.
    pub(super) fn retune(&mut self, other: Self) {
        let direction = if self.velocity.0 < 0.0 { -1.0 } else { 1.0 };
        if other.speed != self.speed {
            self.velocity.0 = direction * other.speed;
        }
        (self.gravity, self.damping, self.radius, self.speed) = (other.gravity, other.damping, other.radius, other.speed);
    }

    /// The centre at `time`, in heights from the top left corner. The first call's time is the start; time that goes back
    /// changes nothing.
    pub(super) fn advance_to(&mut self, time: Timestamp) -> (f64, f64) {
        let origin = *self.origin.get_or_insert(time);
        let elapsed = i128::from(time.as_nanos()) - i128::from(origin.as_nanos());
        let target = (elapsed * i128::from(STEPS_PER_SECOND) / 1_000_000_000) as i64;
        // After a gap of minutes (a camera that was away) the ball goes on from where it was.
        if target - self.steps > 60 * STEPS_PER_SECOND {
            self.origin = Some(time);
            self.steps = 0;
        } else {
            (self.steps..target).for_each(|_| self.step());
            self.steps = self.steps.max(target);
        }
        self.position
    }

    /// Semi-implicit Euler: velocity first, then position with the new velocity.
    fn step(&mut self) {
        let dt = 1.0 / STEPS_PER_SECOND as f64;
        self.velocity.1 += self.gravity * dt;
        self.position.0 += self.velocity.0 * dt;
        self.position.1 += self.velocity.1 * dt;
        let (left, right) = (self.radius, (self.aspect - self.radius).max(self.radius));
        let (top, floor) = (self.radius, (1.0 - self.radius).max(self.radius));
        if self.position.0 < left || self.position.0 > right {
            self.velocity.0 = if self.position.0 < left { self.velocity.0.abs() } else { -self.velocity.0.abs() };
            self.position.0 = self.position.0.clamp(left, right);
        }
        if self.position.1 > floor {
            self.position.1 = floor;
            let rebound = self.velocity.1.abs() * self.damping;
            // High enough to reach the top from the floor: v^2 = 2 g h.
            let throw = (2.0 * self.gravity * 0.9 * (floor - top)).sqrt();
            self.velocity.1 = -if rebound < REST_SPEED { throw } else { rebound };
        } else if self.position.1 < top {
            self.position.1 = top;
            self.velocity.1 = self.velocity.1.abs();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ball() -> Physics {
        Physics { aspect: 16.0 / 9.0, ..Physics::new(1.6, 0.85, 0.08, 0.4) }
    }

    fn at(seconds: f64) -> Timestamp {
        Timestamp::from_nanos((seconds * 1e9) as i64)
    }

    #[test]
    fn it_falls_as_physics_says_until_it_meets_the_floor() {
        let mut ball = ball();
        ball.advance_to(at(0.0));
        let (x, y) = ball.advance_to(at(0.5));
        assert!((x - (START.0 + 0.4 * 0.5)).abs() < 1e-9);
        // g t^2 / 2; the method's error is at most g t dt / 2.
        assert!((y - (START.1 + 1.6 * 0.125)).abs() <= 1.6 * 0.5 / 480.0);
    }

    #[test]
    fn its_way_does_not_depend_on_the_frame_rate() {
        let (mut slow, mut fast) = (ball(), ball());
        let slow = (0..=30).map(|frame| slow.advance_to(at(f64::from(frame) / 3.0))).last();
        let fast = (0..=10_000).map(|frame| fast.advance_to(at(f64::from(frame) / 1000.0))).last();
        assert_eq!(slow, fast);
    }

    #[test]
    fn it_stays_in_the_picture_and_never_rests() {
        let mut ball = ball();
        let mut highest_late = 1.0f64;
        for frame in 0..30 * 600 {
            let (x, y) = ball.advance_to(at(f64::from(frame) / 30.0));
            assert!((0.08..=16.0 / 9.0 - 0.08).contains(&x) && (0.08..=0.92).contains(&y), "at {x}, {y}");
            if frame > 30 * 590 {
                highest_late = highest_late.min(y);
            }
        }
        assert!(highest_late < 0.7, "it still bounces after ten minutes: {highest_late}");
    }

    #[test]
    fn a_bounce_takes_energy() {
        let mut ball = ball();
        // In the middle of each step, so that none is seen twice.
        let heights: Vec<_> = (0..480 * 4).map(|step| 0.92 - ball.advance_to(at((f64::from(step) + 0.5) / 480.0)).1).collect();
        let bounces = heights.split(|height| *height <= 0.0).skip(1);
        let tops: Vec<_> = bounces.map(|bounce| bounce.iter().copied().fold(0.0, f64::max)).filter(|top| *top > 0.0).collect();
        assert!(tops.len() >= 2 && (tops[1] / tops[0] - 0.85f64.powi(2)).abs() < 0.02, "{tops:?}");
    }
}
