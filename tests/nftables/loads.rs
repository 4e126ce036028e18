//! nft(8) of each Debian loads our table, and it is ours then (see `tests/loading`).

use fwmarkctl::backend::Frame;
use fwmarkctl::plan::Plan;

use super::*;
use crate::loading;

#[test]
fn what_nft_lists_of_our_table_nft_loads_and_it_is_ours() {
    in_namespace(loading::what_is_listed_is_loaded_and_ours);
}

#[test]
fn what_compile_prints_nft_loads_and_it_is_ours() {
    in_namespace(loading::what_is_compiled_is_loaded_and_ours);
}

/// The file is what the last version with a protocol in those keys printed.
#[test]
fn a_table_of_an_earlier_version_is_named_in_one_sentence_and_keeps_all_that_it_holds() {
    in_namespace(|| {
        let state = loading::full();
        let text = include_str!("../loading/earlier-full.nft");
        let shadow = "add element inet fwmarkctl shadow4 { 192.0.2.3 . sctp . 8050-8200 : 7 }";
        nft_file(&format!("{text}\n{shadow}"));
        let found = observe().value;
        assert_eq!(found.frame, Frame::Former);
        assert_eq!(found.entries, state.marking);
        assert_eq!(found.sources, state.sources);
        assert_eq!(found.chains, state.chains());
        assert_eq!(found.shadow.len(), 1);
        let services: Services = state.ledger_entries().collect();
        assert_eq!(found.ledger.services, services);

        let plan: Plan = loading::plan(&found, &state);
        assert_eq!(plan.switch.frame, FrameChange::Rebuild);
        assert_eq!(plan.damage, ["the table has the layout of an earlier version of fwmarkctl"]);
        switch(&MarkSwitch { record: Some(record(2)), ..plan.switch }).expect("made anew");
        let now = observe().value;
        assert_eq!((&now.frame, now.shadow.len()), (&Frame::Intact, 0));
        assert_eq!((now.entries, now.ledger.services), (state.marking.clone(), services));
        assert_eq!(now.sources, state.sources);
    });
}

#[test]
fn a_table_of_an_earlier_version_that_was_changed_is_damaged() {
    in_namespace(|| {
        let text = include_str!("../loading/earlier-full.nft");
        for change in [
            "add rule inet fwmarkctl prerouting accept",
            "insert rule inet fwmarkctl output accept",
            "flush chain inet fwmarkctl prerouting",
            "add table inet fwmarkctl { flags dormant; }",
        ] {
            nft_file(&format!("{text}\n{change}"));
            let found = observe().value;
            let Frame::Damaged(sentences) = &found.frame else { panic!("{change}: {found:?}") };
            assert_eq!(sentences.len(), 1, "{sentences:?}");
            assert_eq!(found.entries, loading::full().marking);
        }
    });
}

#[test]
fn a_map_with_a_name_of_earlier_versions_is_not_ours_in_a_table_of_ours() {
    in_namespace(|| {
        switch(&creation(&sample())).expect("created");
        nft_file(
            "add map inet fwmarkctl range4 {
                type ipv4_addr . inet_proto . inet_service : mark; flags interval; counter;
                elements = { 10.0.0.0/24 . tcp . 80 : 5 };
             }",
        );
        let found = observe().value;
        assert_eq!(found.frame, Frame::Damaged(vec!["the set range4 is not ours".to_owned()]));
        assert_eq!(found.entries, sample().0);
    });
}
