//! What sysfs knows of a camera.

use std::fs;
use std::path::Path;

/// An attribute of the video node with this number.
pub(super) fn attribute(index: u32, name: &str) -> Option<String> {
    read(&Path::new("/sys/class/video4linux").join(format!("video{index}")), name)
}

/// The serial number of the USB device that the video node with this number belongs to.
pub(super) fn serial(index: u32) -> Option<String> {
    // The node's device is an interface of the USB device, which is one folder up and has the number.
    let interface = Path::new("/sys/class/video4linux").join(format!("video{index}/device")).canonicalize().ok()?;
    usb_serial(&interface)
}

fn usb_serial(interface: &Path) -> Option<String> {
    let is_usb_device = |folder: &Path| folder.join("idVendor").exists();
    read(interface.ancestors().take(2).find(|folder| is_usb_device(folder))?, "serial")
}

fn read(folder: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(folder.join(name)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serial_number_is_that_of_the_usb_device() {
        let folder = tempfile::tempdir().unwrap();
        let hub = folder.path().join("1-1");
        let device = hub.join("1-1.2");
        let interface = device.join("1-1.2:1.0");
        fs::create_dir_all(&interface).unwrap();
        fs::write(hub.join("idVendor"), "1d6b\n").unwrap();
        fs::write(hub.join("serial"), "of the hub\n").unwrap();
        assert_eq!(usb_serial(&interface), None, "a hub's is not the camera's");
        fs::write(device.join("idVendor"), "046d\n").unwrap();
        assert_eq!(usb_serial(&interface), None);
        fs::write(device.join("serial"), "ABC123\n").unwrap();
        assert_eq!(usb_serial(&interface).as_deref(), Some("ABC123"));
    }
}
