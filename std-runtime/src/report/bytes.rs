/// Formats a number of bytes with a decimal unit (B, KB or MB).
///
/// ```
/// use expe::report::bytes;
/// assert_eq!([812, 45_230, 3_100_000].map(bytes), ["812 B", "45.2 KB", "3.1 MB"]);
/// ```
pub fn bytes(count: usize) -> String {
    let count = count as f64;
    match count {
        small if small < 1e3 => format!("{small} B"),
        kilo if kilo < 1e6 => format!("{:.1} KB", kilo / 1e3),
        mega => format!("{:.1} MB", mega / 1e6),
    }
}
