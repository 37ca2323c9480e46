//! The state table holds every status.

use crate::{
    api::{
        Reason, Status,
        reason::{Part, TABLE, condition},
    },
    plan::Decision,
};

use super::cluster::ready;

/// A status is a state that kstatus can judge, and a row of the table.
pub fn assert_is_in_table(status: &Status, decision: &Decision) {
    let (reason, progress) = ready(status);
    let value = |type_| {
        let found = status.conditions.iter().find(|known| known.type_ == type_);
        found.map(|known| known.status.as_str()).unwrap_or("absent")
    };
    let row = TABLE.iter().find(|row| {
        row.part == Part::Managed
            && Some(row.reason) == Reason::parse(&reason)
            && row.progress == progress
            && row.ready == value(condition::READY)
            && row.synced.contains(&value(condition::SYNCED))
            && row.drifted.contains(&value(condition::DRIFTED))
    });
    assert!(
        row.is_some(),
        "no row for {:#?}\nafter {decision:#?}",
        status.conditions
    );
}
