//! What belongs to health checks, which this program does not do.

use crate::import::Place;
use crate::import::notes::Notes;

/// Says of a word what becomes of it, where it is one of health and notices; each kind once.
pub(super) fn tell(word: &str, place: &Place, notes: &mut Notes) -> bool {
    let what = match word {
        "HTTP_GET" | "SSL_GET" | "TCP_CHECK" | "SMTP_CHECK" | "DNS_CHECK" | "MISC_CHECK"
        | "BFD_CHECK" | "UDP_CHECK" | "PING_CHECK" | "FILE_CHECK" => {
            "health checks are not turned, for fwmarkctl does none: each real server is taken, \
             also one that keepalived has found dead"
        }
        "sorry_server" => "a sorry server is not turned: nobody steps in when all others are dead",
        "quorum"
        | "hysteresis"
        | "alpha"
        | "omega"
        | "ha_suspend"
        | "inhibit_on_failure"
        | "sorry_server_inhibit" => "it is for health checks, which fwmarkctl does not do",
        "quorum_up" | "quorum_down" | "notify_up" | "notify_down" | "smtp_alert" => {
            "nobody is told of a change of health, for fwmarkctl sees none"
        }
        // Times and names for the checks themselves, which are told of already.
        "retry"
        | "delay_before_retry"
        | "warmup"
        | "connect_timeout"
        | "delay_loop"
        | "virtualhost"
        | "snmp_name"
        | "sorry_server_lvs_method"
        | "track_file" => return true,
        _ => return false,
    };
    if is_check(word) {
        notes.some("checks", place, what);
    } else {
        notes.some(word, place, format!("{word}: {what}"));
    }
    true
}

fn is_check(word: &str) -> bool {
    word.ends_with("_CHECK") || word.ends_with("_GET")
}
