//! Bars of blocks, as long as what they stand for is large.

/// How many characters the longest bar has.
const WIDTH: u64 = 40;
/// Eighths of a block, from one on.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// A bar for the durable bytes and, lighter, for what is allocated behind them; `whole` is the longest one.
pub(crate) fn bar(used: u64, ahead: u64, whole: u64, ascii: bool) -> String {
    let eighths = |bytes: u64| {
        let scaled = u128::from(bytes) * u128::from(WIDTH) * 8 / u128::from(whole.max(1));
        usize::try_from(scaled).unwrap_or(usize::MAX)
    };
    // What is there is seen, however little it is.
    let filled = eighths(used).max(usize::from(used > 0));
    let total = eighths(used.saturating_add(ahead)).max(filled);
    let (full, light) = if ascii { ('#', '.') } else { ('█', '░') };
    let mut bar: String = std::iter::repeat_n(full, filled / 8).collect();
    let part = (filled % 8).checked_sub(1).and_then(|eighth| EIGHTHS.get(eighth));
    if let Some(part) = part {
        bar.push(if ascii { full } else { *part });
    }
    bar.extend(std::iter::repeat_n(light, total.div_ceil(8).saturating_sub(filled.div_ceil(8))));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        assert_eq!(bar(100, 0, 100, false), "█".repeat(40));
        assert_eq!(bar(50, 0, 100, true), "#".repeat(20));
        assert_eq!(bar(1, 0, 1 << 40, false), "▏");
        assert_eq!(bar(0, 0, 100, false), "");
        assert_eq!(bar(0, 0, 0, false), "");
        assert_eq!(bar(50, 25, 100, true), format!("{}{}", "#".repeat(20), ".".repeat(10)));
        assert_eq!(bar(u64::MAX, u64::MAX, u64::MAX, true), "#".repeat(40));
    }
}
