//! The processor time of a process, as Linux tells it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Linux tells times of processes in hundredths of a second, whatever its clock does.
const TICK: Duration = Duration::from_millis(10);

/// How long a process has used processors, its own time and the kernel's on its behalf.
///
/// # Errors
///
/// There is no such process, or no `/proc` of Linux.
pub(crate) fn used(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).with_context(|| {
        format!("{path} cannot be read; --broker-pid wants a process of this machine, and Linux")
    })?;
    ticks(&text).map(|ticks| TICK * ticks).with_context(|| format!("{path} is not as Linux writes it"))
}

/// The 14th and the 15th field. The second is a name in parentheses, which may have anything in it.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    user.checked_add(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_have_spaces_and_parentheses() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 1 0 100 1 1";
        assert_eq!(ticks(stat), Some(300));
        assert_eq!(ticks("7 (a) S 1"), None);
    }
}
