//! Who is let in, who waits, and who goes.

use super::*;

const WINDOW: Window = Window { samples: 11, sample_ms: 1000 };
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[test]
fn an_address_gets_its_limit_and_no_more() {
    let quotas =
        ConnectionQuotas::new(ConnectionLimits { per_ip_max: 1, ..ConnectionLimits::default() }, WINDOW);
    let first = quotas.admit("PLAINTEXT", HOME).unwrap();
    assert_eq!(quotas.admit("PLAINTEXT", HOME).unwrap_err(), Refusal::TooMany { ip: HOME, limit: 1 });
    drop(first);
    assert!(quotas.admit("PLAINTEXT", HOME).is_ok());
}

#[test]
fn nothing_is_kept_of_addresses_that_may_not_connect_at_all() {
    let quotas =
        ConnectionQuotas::new(ConnectionLimits { per_ip_max: 0, ..ConnectionLimits::default() }, WINDOW);
    assert_eq!(quotas.admit("PLAINTEXT", HOME).unwrap_err(), Refusal::TooMany { ip: HOME, limit: 0 });
    assert!(quotas.state.lock().unwrap().by_ip.is_empty());
}

#[test]
fn rates_that_were_overtaken_on_their_way_change_nothing() {
    let quotas = ConnectionQuotas::new(ConnectionLimits::default(), WINDOW);
    let one_a_second = AddressRates { default: Some(1.0), ..AddressRates::default() };
    quotas.set_address_rates(7, one_a_second);
    quotas.set_address_rates(6, AddressRates::default());
    let connect = || quotas.admit("PLAINTEXT", HOME);
    assert!((0..20).any(|_| matches!(connect(), Err(Refusal::TooFast(_)))));
    quotas.set_address_rates(8, AddressRates::default());
    assert!(connect().is_ok());
}

#[test]
fn overrides_that_were_overtaken_on_their_way_change_nothing() {
    let quotas = ConnectionQuotas::new(ConnectionLimits::default(), WINDOW);
    quotas.set_per_ip_overrides(7, HashMap::from([(HOME, 5)]));
    quotas.set_per_ip_overrides(6, HashMap::new());
    assert_eq!(quotas.per_ip_max(HOME), 5);
    quotas.set_per_ip_overrides(8, HashMap::new());
    assert_eq!(quotas.per_ip_max(HOME), usize::MAX);
}

/// This ends only where the connections are not looked through for each that has to go.
#[test]
fn a_much_lower_limit_sends_many_connections_away_at_once() {
    let quotas = ConnectionQuotas::new(ConnectionLimits::default(), WINDOW);
    let permits: Vec<_> =
        (0..30_000).map(|_| quotas.admit("PLAINTEXT", HOME).expect("there is no limit")).collect();
    quotas.set_limits(ConnectionLimits { total_max: 10, ..ConnectionLimits::default() });
    let told = permits.iter().filter(|permit| permit.seat.leaving.load(Ordering::Relaxed));
    assert_eq!(told.count(), 30_000 - 10);
}

#[tokio::test]
async fn the_connection_that_is_idle_the_longest_makes_room_for_one_of_another_broker() {
    let protected_listeners = HashSet::from(["INTERNAL".to_owned()]);
    let limits = ConnectionLimits { total_max: 3, protected_listeners, ..ConnectionLimits::default() };
    let quotas = ConnectionQuotas::new(limits, WINDOW);
    let internal = quotas.admit("INTERNAL", HOME).unwrap();
    let busy = quotas.admit("PLAINTEXT", HOME).unwrap();
    let idle = quotas.admit("PLAINTEXT", HOME).unwrap();
    internal.set_idle(true);
    busy.set_idle(false);
    idle.set_idle(true);
    assert!(quotas.has_room("INTERNAL") && !quotas.has_room("PLAINTEXT"));
    let _other = quotas.admit("INTERNAL", HOME).unwrap();
    idle.told_to_leave().await;
    let told = |permit: &ConnectionPermit| permit.seat.leaving.load(Ordering::Relaxed);
    assert!(!told(&internal) && !told(&busy));
    drop(idle);
    let total = quotas.state.lock().unwrap().total;
    assert_eq!((total, quotas.metrics("PLAINTEXT").made_room.get()), (3, 1));
}

#[test]
fn what_finds_no_room_after_all_waits_and_nobody_goes_for_it() {
    let limits = ConnectionLimits { total_max: 1, ..ConnectionLimits::default() };
    let quotas = ConnectionQuotas::new(limits, WINDOW);
    assert!(quotas.has_room("PLAINTEXT") && quotas.has_room("SSL"));
    let first = quotas.admit("PLAINTEXT", HOME).unwrap();
    first.set_idle(true);
    assert_eq!(quotas.admit("SSL", HOME).unwrap_err(), Refusal::NoRoom);
    assert!(!first.seat.leaving.load(Ordering::Relaxed));
    drop(first);
    assert!(quotas.admit("SSL", HOME).is_ok());
}

#[tokio::test]
async fn over_a_total_that_was_lowered_connections_go() {
    let quotas = ConnectionQuotas::new(ConnectionLimits::default(), WINDOW);
    let permits = [(); 3].map(|()| quotas.admit("PLAINTEXT", HOME).unwrap());
    quotas.set_limits(ConnectionLimits { total_max: 1, ..ConnectionLimits::default() });
    let told = permits.iter().filter(|permit| permit.seat.leaving.load(Ordering::Relaxed));
    assert_eq!(told.count(), 2);
}

#[tokio::test]
async fn over_the_total_a_connection_waits_for_another_to_end() {
    let quotas =
        ConnectionQuotas::new(ConnectionLimits { total_max: 1, ..ConnectionLimits::default() }, WINDOW);
    let first = quotas.admit("PLAINTEXT", HOME).unwrap();
    let waiting = tokio::spawn({
        let quotas = quotas.clone();
        async move { quotas.wait_for_room("PLAINTEXT").await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    drop(first);
    waiting.await.unwrap();
}
