struct Ball { centre: vec2f, radius: f32, color: vec4f }

@group(0) @binding(0) var src: texture_2d<f32>;
@group(0) @binding(1) var dst: texture_storage_2d<rgba8unorm, write>;
@group(0) @binding(2) var<uniform> ball: Ball;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if any(id.xy >= textureDimensions(dst)) {
        return;
    }
    let coverage = clamp(ball.radius - distance(vec2f(id.xy) + 0.5, ball.centre) + 0.5, 0.0, 1.0);
    textureStore(dst, id.xy, mix(textureLoad(src, id.xy, 0), ball.color, coverage));
}
