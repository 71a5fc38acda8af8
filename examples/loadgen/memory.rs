//! The memory of a process, as Linux tells it.

use std::fs;

use anyhow::{Context, Result};

/// How much memory a process has, in bytes: what is resident.
///
/// # Errors
///
/// There is no such process, or no `/proc` of Linux.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    resident(&text).with_context(|| format!("{path} is not as Linux writes it"))
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_resident_is_told_in_kibibytes() {
        assert_eq!(
            resident("Name:\tx\nVmHWM:\t  900 kB\nVmRSS:\t    712 kB\nRssAnon:\t 8 kB\n"),
            Some(729_088)
        );
        assert_eq!(resident("Name:\tx\n"), None);
    }
}
