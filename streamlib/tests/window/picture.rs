//! Judges what a window shows: the bars, the machine-readable block and the ball.

use streamlib::Size;
use streamlib::prelude::*;
use streamlib::test_pattern::{Block, read_block};

/// Red, green and blue of the 75% bars, from left to right.
const BARS: [[u8; 3]; 7] = [[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0], [0, 0, 191]];

/// The ball's colour and its radius in picture heights, as `BouncingBallParameters` has them by default.
const BALL: [u8; 3] = [255, 102, 0];
const RADIUS: f64 = 0.08;

/// The pixels of a window, row by row.
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<[u8; 3]>,
}

/// Where the middle of the ball is seen, in pixels of the source, and how wide and high it is.
#[derive(Debug)]
pub(crate) struct Ball {
    pub(crate) centre: (f64, f64),
    pub(crate) extent: (f64, f64),
}

fn is_near(pixel: [u8; 3], expected: [u8; 3]) -> bool {
    pixel.iter().zip(expected).all(|(level, expected)| level.abs_diff(expected) <= 3)
}

impl Picture {
    pub(crate) fn at(&self, x: u32, y: u32) -> [u8; 3] {
        self.pixels[(y * self.width + x) as usize]
    }

    /// The scale and the top left corner of a letterboxed picture of `size`, computed here anew.
    fn place(&self, size: Size) -> (f64, f64, f64) {
        let [width, height] = [size.width(), size.height()].map(f64::from);
        let scale = (f64::from(self.width) / width).min(f64::from(self.height) / height);
        (scale, (f64::from(self.width) - width * scale) / 2.0, (f64::from(self.height) - height * scale) / 2.0)
    }

    /// The pixel that shows the source's pixel at this place.
    fn source(&self, size: Size, x: f64, y: f64) -> [u8; 3] {
        let (scale, left, top) = self.place(size);
        self.at((left + (x + 0.5) * scale) as u32, (top + (y + 0.5) * scale) as u32)
    }

    pub(crate) fn block(&self, size: Size) -> Option<Block> {
        read_block(size, |x, y| self.source(size, x.into(), y.into())[1])
    }

    /// What is wrong with the bars, looked at in the middle of each, at three heights, where the ball is not.
    pub(crate) fn bars(&self, size: Size) -> Result<(), String> {
        let [width, height] = [size.width(), size.height()].map(f64::from);
        let ball = self.ball(size).map(|ball| ball.centre);
        for (index, expected) in BARS.iter().enumerate() {
            for y in [0.1, 0.35, 0.6] {
                let (x, y) = ((index as f64 + 0.5) / 7.0 * width, y * height);
                let is_hidden = ball.is_some_and(|ball| (ball.0 - x).hypot(ball.1 - y) < (RADIUS + 0.02) * height);
                let seen = self.source(size, x, y);
                if !is_hidden && !is_near(seen, *expected) {
                    return Err(format!("bar {index} at {x:.0}, {y:.0} is {seen:?}, not {expected:?}"));
                }
            }
        }
        Ok(())
    }

    /// The ball, by the pixels of its colour.
    pub(crate) fn ball(&self, size: Size) -> Option<Ball> {
        let (scale, left, top) = self.place(size);
        let places = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let seen: Vec<_> = places.filter(|(x, y)| is_near(self.at(*x, *y), BALL)).collect();
        let count = seen.len() as f64;
        if seen.is_empty() {
            return None;
        }
        let sum = seen.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + f64::from(*x) + 0.5, sum.1 + f64::from(*y) + 0.5));
        let side = |low: Option<u32>, high: Option<u32>| f64::from(high.unwrap() - low.unwrap() + 1) / scale;
        let (xs, ys) = (|| seen.iter().map(|place| place.0), || seen.iter().map(|place| place.1));
        Some(Ball {
            centre: ((sum.0 / count - left) / scale, (sum.1 / count - top) / scale),
            extent: (side(xs().min(), xs().max()), side(ys().min(), ys().max())),
        })
    }

    /// Whether what is not the picture is black, with 2 pixels to spare at its edge.
    pub(crate) fn rest_is_black(&self, size: Size) -> bool {
        let (_, left, top) = self.place(size);
        let is_rest = |at: u32, side: u32, margin: f64| {
            let at = f64::from(at);
            at < margin - 2.0 || at > f64::from(side) - margin + 2.0
        };
        let places = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        places
            .filter(|(x, y)| is_rest(*x, self.width, left) || is_rest(*y, self.height, top))
            .all(|(x, y)| self.at(x, y) == [0, 0, 0])
    }

    /// How far the ball is from where it has to be at the block's time if it started with frame `first`, in pixels of the source.
    pub(crate) fn ball_error(&self, size: Size, rate: FrameRate, first: u64) -> f64 {
        let (block, ball) = (self.block(size).unwrap(), self.ball(size).unwrap());
        let mut physics = BouncingBall::default();
        let since_first = rate.timestamp_of(block.sequence).saturating_since(rate.timestamp_of(first));
        physics.centre(size, block.time - since_first);
        let expected = physics.centre(size, block.time);
        (expected.0 - ball.centre.0).hypot(expected.1 - ball.centre.1)
    }

    /// What is wrong with the ball's size and shape.
    pub(crate) fn ball_shape(&self, size: Size) -> Result<(), String> {
        let ball = self.ball(size).ok_or("there is no ball")?;
        let (diameter, (scale, ..)) = (2.0 * RADIUS * f64::from(size.height()), self.place(size));
        // Its smooth edge has other colours: half a pixel of the source and a blurred one of the window, on each side.
        let edge = 1.0 + 3.0 / scale;
        let is_right = |extent: f64| extent <= diameter + 1.0 && extent >= diameter - edge - 1.0;
        match is_right(ball.extent.0) && is_right(ball.extent.1) {
            true => Ok(()),
            false => Err(format!("{ball:?} is not {diameter:.1} across")),
        }
    }
}
