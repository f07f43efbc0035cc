//! When frames that a sink delivers are there: its latency.

use super::Segment;

impl Segment {
    /// Records the latency of frames that the GPU has finished.
    pub(super) fn note_deliveries(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.ports.delivering.is_empty() && node.ports.undelivered.is_empty() {
            return;
        }
        let meter = &self.environment.shared.meters[node.ports.node];
        for frame in node.ports.delivering.drain(..) {
            match frame.lease().submission() {
                Some(submission) => node.ports.undelivered.push_back((submission, frame.captured_at())),
                None => meter.delivered(frame.captured_at().elapsed()),
            }
        }
        let Some(gpu) = self.environment.shared.opened_gpu() else { return };
        if node.ports.undelivered.is_empty() {
            return;
        }
        // Before it is looked whether it is complete: completion must wake.
        self.environment.watch_gpu();
        if gpu.timeline().check_alive().is_err() {
            node.ports.undelivered.clear();
        }
        while let Some((submission, captured_at)) = node.ports.undelivered.front().copied() {
            if !gpu.timeline().is_complete(submission) {
                break;
            }
            node.ports.undelivered.pop_front();
            if let Some(completed) = gpu.timeline().completed_at(submission) {
                meter.delivered(completed.saturating_duration_since(captured_at));
            }
        }
    }

    /// The last frames of sinks whose latency ends when the GPU is done.
    pub(super) fn wait_for_deliveries(&mut self) {
        for index in 0..self.nodes.len() {
            loop {
                self.note_deliveries(index);
                if self.nodes[index].ports.undelivered.is_empty() || self.environment.is_discarding() {
                    break;
                }
                self.environment.parker.park();
            }
        }
    }
}
