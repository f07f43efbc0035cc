//! `docs/concurrency.md`, as far as a compiler can check it.

use crate::*;

const fn shared_between_threads<T: Send + Sync>() {}
const fn one_at_a_time<T: Send>() {}

const _: () = {
    shared_between_threads::<GpuContext>();
    shared_between_threads::<VideoFrame>();
    shared_between_threads::<Buffer<f32>>();
    one_at_a_time::<FrameEncoder>();
    shared_between_threads::<Kernel>();
    shared_between_threads::<FramePainter>();
    one_at_a_time::<KernelCall<'static>>();
    shared_between_threads::<ReadyToken>();
    shared_between_threads::<ReadBack>();
    shared_between_threads::<BufferReadBack<f32>>();
    shared_between_threads::<ReadBackView>();
    one_at_a_time::<Graph>();
    shared_between_threads::<Runtime>();
    shared_between_threads::<Running>();
    one_at_a_time::<Events>();
    shared_between_threads::<StopHandle>();
    shared_between_threads::<Counter>();
    shared_between_threads::<ManualClock>();
    shared_between_threads::<Registry>();
    one_at_a_time::<Tuning>();
    shared_between_threads::<UploadMemory>();
    shared_between_threads::<Raw<'static>>();
    shared_between_threads::<Mapping>();
    shared_between_threads::<RawBytes>();
    shared_between_threads::<RawReadBack>();
    shared_between_threads::<RawShader>();
    one_at_a_time::<Cadence>();
};

macro_rules! plain_data {
    ($($type:ty)+) => {
        const _: () = { $(shared_between_threads::<$type>();)+ };
    };
}

plain_data! {
    DeclaredField DeclaredUniform Domain KernelBinding<'static> AdapterChoice AdapterOptions Alpha Animated<f32> ByteStatistics ChromaSite Color CreationStatistics Delivery Descriptor DiskCacheStatistics Dropped Error ErrorKind
    FailurePolicy Flow FrameRate GpuOptions GpuStatistics GraphSpec In<VideoFrame> InputOptions InputSpec KernelOptions<'static>
    KernelStatistics Latency LeaseReport LinkCounts LinkSpec LinkStatistics Matrix MemoryStatistics MessageType Mode Next<VideoFrame> ObjectStatistics
    NodeSpec NodeStatistics Out<VideoFrame> OutputOptions OutputSpec PainterOptions<'static> Pairing PassShape ParameterDescriptor Percentiles
    PixelFormat PixelStage Plan PlanChange PlanOptions Plane<'static> PlannedLink PlannedNode PoolStatistics PortDescriptor PortRef
    Ports Range Reaction Restart Role RunEvent RunEventKind RuntimeOptions Scalar SegmentPlan ShaderSource<'static> Size Statistics Stop Threading Timestamp
    Transport UniformField UniformLayout UniformType VideoFormat Viewport WrittenTexture
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// What is exported and is no trait, function or alias.
    fn public_types() -> BTreeSet<String> {
        let others = [
            "Checker",
            "Described",
            "Filter",
            "IntoChain",
            "Interpolate",
            "IntoProcessor",
            "MAX_DIMENSION",
            "MainLoop",
            "Message",
            "PixelShader",
            "Processor",
            "Result",
            "Sink",
            "Source",
            "Tunable",
            "Uniform",
            "UniformNumber",
            "UniformValue",
        ];
        let exports = include_str!("lib.rs").split("pub use ").skip(1).filter_map(|export| export.split_once(';'));
        let names = exports.flat_map(|(export, _)| {
            let names = export.split_once('{').map_or_else(|| export.rsplit("::").next().unwrap_or(export), |(_, names)| names);
            names.trim_end_matches('}').split(',').map(|name| name.trim().to_string()).collect::<Vec<_>>()
        });
        names.filter(|name| name.starts_with(char::is_uppercase) && !others.contains(&name.as_str())).collect()
    }

    fn words(text: &str) -> BTreeSet<String> {
        text.split(|character: char| !character.is_alphanumeric() && character != '_').map(String::from).collect()
    }

    #[test]
    fn the_page_and_the_assertions_name_every_public_type() {
        let types = public_types();
        assert!(types.len() > 80, "lib.rs was not read: {types:?}");
        let assertions = include_str!("concurrency.rs").split("#[cfg(test)]").next().unwrap_or_default();
        for (what, text) in [("docs/concurrency.md", include_str!("../../docs/concurrency.md")), ("the assertions", assertions)] {
            let words = words(text);
            let missing: Vec<_> =
                types.difference(&words).filter(|name| *name != "Context" || what != "the assertions").collect();
            assert!(missing.is_empty(), "{what}: {missing:?}");
        }
    }
}
