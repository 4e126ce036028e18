//! A switch in three batches, on this machine's nf_tables; IPVS is in memory.

use std::cell::RefCell;

use fwmarkctl::backend::memory::MemoryDirector;
use fwmarkctl::backend::{CountedRuleset, Director, Frame, Generation};
use fwmarkctl::model::Marker;
use fwmarkctl::state::DirectorState;
use fwmarkctl::transaction::{
    Aim, Author, Identity, NoJournal, Outcome, Purpose, Silent, Transaction,
};

use super::*;

/// nf_tables, with what it held after each batch.
#[derive(Default)]
struct Witness(RefCell<Vec<Observed<MarkRuleset>>>);

impl Netfilter for Witness {
    fn marker(&self) -> Marker {
        Marker::Nftables
    }

    fn observe_counted(&self) -> Result<Observed<CountedRuleset>, NetfilterError> {
        Nftables::new().observe_counted()
    }

    fn observe(&self) -> Result<Observed<MarkRuleset>, NetfilterError> {
        Nftables::new().observe()
    }

    fn switch(&self, change: &MarkSwitch, at: Generation) -> Result<(), NetfilterError> {
        Nftables::new().switch(change, at)?;
        self.0.borrow_mut().push(observe());
        Ok(())
    }

    fn settle(&self) {
        Nftables::new().settle();
    }
}

/// What the ruleset is after each batch of the way to `marking`.
fn lead_to(marking: &Marking) -> Vec<Observed<MarkRuleset>> {
    let (witness, memory) = (Witness::default(), MemoryDirector::new());
    let director = Director { netfilter: &[&witness], ipvs: &memory, machine: &memory };
    let identity = Identity {
        transaction: TransactionId(1),
        boot: "test".to_owned(),
        author: Author::default(),
    };
    let state = DirectorState { marking: marking.clone(), ..DirectorState::default() };
    let aim = Aim::new(&state, Purpose::Apply);
    let outcome = Transaction::new(&director, identity, &NoJournal, &mut Silent).run(aim);
    assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
    witness.0.into_inner()
}

#[test]
fn entries_that_an_interval_map_exchanges_are_in_the_shadow_meanwhile() {
    in_namespace(|| {
        let tcp = |destination, first, last| key(destination, Protocol::Tcp, ports(first, last));
        // One that changes, one that grows, one that a hash map held with a port, one that
        // it held without, and those that have nothing to do with them.
        let old = Marking::from([
            (tcp("192.0.2.1", 8000, 8100), entry(1, "web")),
            (tcp("2001:db8::/64", 80, 90), entry(2, "net")),
            (tcp("192.0.2.2", 80, 80), entry(3, "one")),
            (tcp("2001:db8:1::1", 0, u16::MAX), entry(4, "all")),
        ]);
        let aside = Marking::from([
            (tcp("192.0.2.3", 80, 80), entry(5, "exact")),
            (tcp("192.0.2.4", 80, 81), entry(6, "range")),
        ]);
        let new = Marking::from([
            (tcp("192.0.2.1", 8000, 8100), entry(1, "store")),
            (tcp("2001:db8::/48", 70, 90), entry(2, "net")),
            (tcp("192.0.2.2", 80, 82), entry(3, "one")),
            (tcp("2001:db8:1::/63", 0, u16::MAX), entry(4, "all")),
            (tcp("192.0.2.5", 80, 81), entry(7, "range")),
        ]);
        let all = |marking: &Marking| marking.clone().into_iter().chain(aside.clone()).collect();
        let (before, after): (Marking, Marking) = (all(&old), all(&new));

        let [made] = &lead_to(&before)[..] else { panic!("one batch makes a table") };
        let seen = lead_to(&after);
        let step = |number: usize, entries: &Marking, shadow: &Marking| {
            let Observed { value, generation } = &seen[number];
            assert_eq!(generation.0, made.generation.0 + 1 + u32::try_from(number).unwrap());
            assert_eq!((&value.entries, &value.shadow), (entries, shadow), "batch {number}");
            assert_eq!(value.frame, Frame::Intact);
        };
        step(0, &before, &old);
        step(1, &after, &old);
        step(2, &after, &Marking::new());
        assert_eq!(seen.len(), 3);
        // And back: what shrinks is in the shadow too.
        let back = lead_to(&before);
        assert_eq!(back.len(), 3);
        let mut shrinking = new;
        shrinking.remove(&tcp("192.0.2.5", 80, 81));
        shrinking.remove(&tcp("192.0.2.2", 80, 82));
        shrinking.remove(&tcp("2001:db8:1::/63", 0, u16::MAX));
        assert_eq!(back[1].value.shadow, shrinking);
        // What comes or goes apart is one batch.
        assert_eq!(lead_to(&aside).len(), 1);
    });
}

#[test]
fn a_table_whose_record_somebody_removed_gets_one_from_the_next_apply() {
    in_namespace(|| {
        let (marking, _) = sample();
        lead_to(&marking);
        nft_file("flush chain inet fwmarkctl ledger");
        let [again] = &lead_to(&marking)[..] else { panic!("one batch") };
        assert_eq!(again.value.frame, Frame::Intact);
        assert!(again.value.ledger.record.is_some());
        assert_eq!(again.value.entries, marking);
    });
}

#[test]
fn what_an_interrupted_switch_left_is_taken_out_by_the_next_apply() {
    in_namespace(|| {
        let (marking, _) = sample();
        lead_to(&marking);
        nft_file(
            "add element inet fwmarkctl shadow4_sctp { 192.0.2.3 . 8050-8200 : 7 }
             add element inet fwmarkctl shadow6_udp { 2001:db8::9 . 0-65535 : 8 }",
        );
        let [again] = &lead_to(&marking)[..] else { panic!("one batch") };
        assert_eq!((&again.value.entries, again.value.shadow.len()), (&marking, 0));
        // One that is in the way of the shadow that is needed goes before it comes.
        nft_file("add element inet fwmarkctl shadow4_sctp { 192.0.2.3 . 8050-8200 : 7 }");
        let mut renamed = marking.clone();
        let range = key("192.0.2.3", Protocol::Sctp, ports(8000, 8100));
        let old = renamed.insert(range, entry(0x4c56_0001, "renamed")).expect("it was there");
        let seen = lead_to(&renamed);
        assert_eq!(seen[0].value.shadow, Marking::from([(range, old)]));
        assert_eq!((&seen[2].value.entries, seen[2].value.shadow.len()), (&renamed, 0));
    });
}
