//! How many random cases a test tries: `make nightly` asks for more of them.

/// `usual`, as often as `FWMARKCTL_LONGER` says; once without it.
pub(crate) fn cases(usual: u32) -> u32 {
    let times = std::env::var("FWMARKCTL_LONGER").ok();
    usual * times.map_or(1, |times| times.parse().expect("FWMARKCTL_LONGER is a number"))
}
