//! Which adapter to use, and why the others were not.

use std::fmt;

use crate::{Error, ErrorKind, Result};

/// What to look for in an adapter.
#[derive(Clone, Debug, Default)]
pub struct AdapterOptions {
    /// Take the first adapter whose name contains this, ignoring case. Default: none, the best one is taken.
    pub name: Option<String>,
    /// Refuse adapters that compute on the CPU. Default: `false`, they are used when there is nothing better.
    pub hardware_only: bool,
}

/// The adapter in use and what else there was.
#[derive(Clone, Debug)]
pub struct AdapterChoice {
    /// The adapter in use.
    pub chosen: wgpu::AdapterInfo,
    /// Every other adapter, with the reason why it was not taken.
    pub passed_over: Vec<(wgpu::AdapterInfo, String)>,
}

impl fmt::Display for AdapterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", describe(&self.chosen))?;
        for (info, reason) in &self.passed_over {
            write!(f, "; not {}: {reason}", describe(info))?;
        }
        Ok(())
    }
}

/// Discrete before integrated before virtual before software; Vulkan, Metal and DX12 before OpenGL.
fn rank(info: &wgpu::AdapterInfo) -> (u8, u8) {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    (kind, u8::from(info.backend == wgpu::Backend::Gl))
}

fn describe(info: &wgpu::AdapterInfo) -> String {
    format!("'{}' ({}, {:?})", info.name, info.backend, info.device_type)
}

/// Why `info` cannot serve at all.
fn refusal(adapter: &wgpu::Adapter, options: &AdapterOptions) -> Option<String> {
    let info = adapter.get_info();
    if let Some(name) = &options.name
        && !info.name.to_lowercase().contains(&name.to_lowercase())
    {
        return Some(format!("its name does not contain '{name}'"));
    }
    if options.hardware_only && info.device_type == wgpu::DeviceType::Cpu {
        return Some("it computes on the CPU".into());
    }
    if !adapter.get_downlevel_capabilities().flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS) {
        return Some("it has no compute shaders".into());
    }
    None
}

/// Takes the best adapter that can serve. Fails with [`ErrorKind::NoAdapter`], naming what was tried.
pub(super) fn choose(instance: &wgpu::Instance, options: &AdapterOptions) -> Result<(wgpu::Adapter, AdapterChoice)> {
    let (usable, mut passed_over) = sorted(instance, options)?;
    let mut usable = usable.into_iter();
    let Some(adapter) = usable.next() else { return Err(none_usable(&passed_over, options)) };
    passed_over.extend(usable.map(|other| (other.get_info(), "the chosen one ranks higher".into())));
    let choice = AdapterChoice { chosen: adapter.get_info(), passed_over };
    Ok((adapter, choice))
}

/// All that can serve, the best first. Fails with [`ErrorKind::NoAdapter`], naming what was tried.
pub(super) fn usable(instance: &wgpu::Instance, options: &AdapterOptions) -> Result<Vec<wgpu::Adapter>> {
    Ok(sorted(instance, options)?.0)
}

/// Why an adapter was not taken.
type PassedOver = Vec<(wgpu::AdapterInfo, String)>;

/// Those that can serve, the best first, and why the others cannot. Fails if none can.
fn sorted(instance: &wgpu::Instance, options: &AdapterOptions) -> Result<(Vec<wgpu::Adapter>, PassedOver)> {
    let mut adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    adapters.sort_by_key(|adapter| rank(&adapter.get_info()));
    let mut passed_over = Vec::new();
    adapters.retain(|adapter| {
        let reason = refusal(adapter, options);
        let is_usable = reason.is_none();
        passed_over.extend(reason.map(|reason| (adapter.get_info(), reason)));
        is_usable
    });
    match adapters.is_empty() {
        true => Err(none_usable(&passed_over, options)),
        false => Ok((adapters, passed_over)),
    }
}

fn none_usable(passed_over: &[(wgpu::AdapterInfo, String)], options: &AdapterOptions) -> Error {
    let tried = match passed_over {
        [] => "Vulkan, Metal, DX12 and OpenGL drivers offered none".into(),
        some => some.iter().map(|(info, reason)| format!("{}: {reason}", describe(info))).collect::<Vec<_>>().join("; "),
    };
    let error = Error::new(ErrorKind::NoAdapter, format!("no GPU adapter can be used ({tried})"));
    if options.name.is_some() && !passed_over.is_empty() {
        return error.hint("ask for another name or for none, or install the Vulkan driver of the GPU that is meant");
    }
    error.hint("install the GPU's Vulkan driver, or a software one: on Debian and Ubuntu 'apt-get install mesa-vulkan-drivers libvulkan1'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_says_what_was_tried_and_what_to_install() {
        let message = none_usable(&[], &AdapterOptions::default()).to_string();
        assert!(message.contains("Vulkan") && message.contains("mesa-vulkan-drivers"), "{message}");
    }

    #[test]
    fn an_adapter_that_is_not_there_is_named() {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let options = AdapterOptions { name: Some("Voodoo 2".into()), ..Default::default() };
        let error = choose(&instance, &options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoAdapter);
        assert!(error.to_string().contains("does not contain 'Voodoo 2'"), "{error}");
        assert!(!error.to_string().contains("apt-get"), "{error}");
    }
}
