//! How often one address may call: enough for any use of a farm, too little for a flood from one place.
//!
//! Calls are counted by the address they come from, since who forges a header would have as many as they like.
//! Behind a proxy all its callers share one count.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// How many calls one address may make at once; of each, a tenth comes back every second. 0 sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of the seed calls.
    pub seed: u32,
    /// Of all others but `/health`.
    pub api: u32,
}

impl Limits {
    /// The seed calls' limit where nobody says otherwise.
    pub const SEED: u32 = 200;
    /// The others', where nobody says otherwise: two calls for each file of a scene of ten thousand, at once.
    pub const API: u32 = 50_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seed: Self::SEED,
            api: Self::API,
        }
    }
}

/// Wrong tokens that one address may show at once.
const WRONG_TOKENS: NonZeroU32 = NonZeroU32::new(60).expect("it is not 0");

/// Addresses that have been quiet are forgotten after so many calls.
const CALLS_TO_A_SWEEP: u32 = 10_000;

/// One kind of call, counted for each address.
pub(crate) struct Limit {
    burst: NonZeroU32,
    calls: DefaultKeyedRateLimiter<IpAddr>,
    since_sweep: AtomicU32,
}

/// A call too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    /// Calls allowed at once.
    pub(crate) limit: u32,
    /// When the next one is allowed, in whole seconds, at least 1.
    pub(crate) retry_after_seconds: u32,
}

impl Limit {
    /// None where `burst` is 0.
    pub(crate) fn new(burst: u32) -> Option<Self> {
        let burst = NonZeroU32::new(burst)?;
        let a_second = NonZeroU32::new(burst.get() / 10).unwrap_or(NonZeroU32::MIN);
        Some(Self::with(burst, Quota::per_second(a_second)))
    }

    /// That of wrong tokens: one comes back every second.
    pub(crate) fn of_wrong_tokens() -> Self {
        Self::with(WRONG_TOKENS, Quota::per_second(NonZeroU32::MIN))
    }

    fn with(burst: NonZeroU32, quota: Quota) -> Self {
        Self {
            burst,
            calls: RateLimiter::keyed(quota.allow_burst(burst)),
            since_sweep: AtomicU32::new(0),
        }
    }

    /// Counts a call from this address.
    pub(crate) fn count(&self, from: IpAddr) -> Result<(), TooMany> {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed) >= CALLS_TO_A_SWEEP {
            self.since_sweep.store(0, Ordering::Relaxed);
            self.calls.retain_recent();
            self.calls.shrink_to_fit();
        }
        self.calls.check_key(&site(from)).map_err(|refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            TooMany {
                limit: self.burst.get(),
                retry_after_seconds: whole_seconds(wait),
            }
        })
    }
}

impl std::fmt::Debug for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Limit({} at once)", self.burst)
    }
}

/// What counts as one address: who has an IPv6 address has all of its network.
fn site(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

fn whole_seconds(wait: Duration) -> u32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_too_eager_is_told_when_to_come_back_and_another_is_let_in() {
        let limit = Limit::new(20).unwrap();
        let (eager, other): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        for _ in 0..20 {
            assert_eq!(limit.count(eager), Ok(()));
        }
        let refused = TooMany {
            limit: 20,
            retry_after_seconds: 1,
        };
        assert_eq!(limit.count(eager), Err(refused));
        assert_eq!(limit.count(other), Ok(()));
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_count_and_mapped_ones_are_ipv4() {
        let limit = Limit::new(1).unwrap();
        assert!(limit.count("2001:db8::1".parse().unwrap()).is_ok());
        assert!(limit.count("2001:db8::2".parse().unwrap()).is_err());
        assert!(limit.count("2001:db8:0:1::1".parse().unwrap()).is_ok());
        assert!(limit.count("::ffff:10.0.0.1".parse().unwrap()).is_ok());
        assert!(limit.count("10.0.0.1".parse().unwrap()).is_err());
    }

    #[test]
    fn addresses_that_went_quiet_take_no_memory() {
        let limit = Limit::new(u32::MAX).unwrap();
        for number in 0..3 * CALLS_TO_A_SWEEP {
            limit.count(number.to_be_bytes().into()).unwrap();
        }
        assert!(limit.calls.len() <= 2 * CALLS_TO_A_SWEEP as usize);
    }

    #[test]
    fn without_a_number_there_is_no_limit() {
        assert!(Limit::new(0).is_none());
    }
}
