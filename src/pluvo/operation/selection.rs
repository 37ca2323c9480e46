//! What is asked of each type. A sweep, a point read and the answer of a mutation ask the same of a user or a group,
//! so that all three merge alike.

/// One element of a selection set.
///
/// Selections are printed in full in every alias: fragments would make batches smaller, but need the exact name of the
/// type that they stand on, and not all of those are documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// A field.
    Field {
        /// Its name.
        name: &'static str,
        /// Its own selection; empty for a scalar.
        of: &'static [Select],
        /// For a field that we can live without: the type that it belongs to.
        optional: Option<&'static str>,
    },
    /// An inline fragment, `... on Type { }`.
    On {
        /// The type.
        ty: &'static str,
        /// The selection on it.
        of: &'static [Select],
    },
}

const fn field(name: &'static str) -> Select {
    object(name, &[])
}

const fn object(name: &'static str, of: &'static [Select]) -> Select {
    Select::Field {
        name,
        of,
        optional: None,
    }
}

const fn optional(ty: &'static str, name: &'static str) -> Select {
    Select::Field {
        name,
        of: &[],
        optional: Some(ty),
    }
}

const fn on(ty: &'static str, of: &'static [Select]) -> Select {
    Select::On { ty, of }
}

const ID: &[Select] = &[field("id")];

const CATEGORY: Select = object("category", ID);

/// Of the union `ExtraCategoryValue` (developers/extracategory).
const VALUES: &[Select] = &[
    on("ExtraCategoryStringValue", &[CATEGORY, field("stringValue")]),
    on("ExtraCategoryDatetimeValue", &[CATEGORY, field("datetimeValue")]),
    on("ExtraCategoryBooleanValue", &[CATEGORY, field("booleanValue")]),
    on("ExtraCategoryChoiceValue", &[CATEGORY, object("choiceValue", CHOICE)]),
];

const CHOICE: &[Select] = &[field("id"), field("stringValue")];

pub(super) const USER: &[Select] = &[
    field("id"),
    field("ref"),
    field("email"),
    field("name"),
    field("archived"),
    field("roles"),
    field("language"),
    object("participantGroups", ID),
    object("managerGroups", ID),
    object("extraCategoryValues", VALUES),
];

pub(super) const GROUP: &[Select] = &[
    field("id"),
    field("ref"),
    field("name"),
    field("maxUsers"),
    field("enableChat"),
    field("isEditable"),
    object("extraCategoryValues", VALUES),
];

/// `id` is there so that the selection is not empty on a server that knows neither count.
pub(super) const GROUP_SIZE: &[Select] = &[
    field("id"),
    optional("Group", "userCount"),
    optional("Group", "managerCount"),
];

pub(super) const TRAINING: &[Select] = &[
    field("id"),
    field("ref"),
    field("title"),
    optional("Training", "archived"),
];

/// Where a server does not say how many more an event takes, it is asked until it refuses.
pub(super) const OFFER_EVENT: &[Select] = &[
    field("id"),
    field("ref"),
    optional("OfferEvent", "spotsAvailable"),
    optional("OfferEvent", "waitingList"),
    optional("OfferEvent", "cancelled"),
];

pub(super) const OFFER_EVENTS: &[Select] = &[object("offerEvents", OFFER_EVENT)];
pub(super) const ENROLLMENT: &[Select] = &[field("status")];

/// That `ref` can be read is documented nowhere; without it a connection's own catalogue fills the gap.
pub(super) const CUSTOM_FIELD: &[Select] = &[
    field("id"),
    optional("ExtraCategory", "ref"),
    field("title"),
    optional("ExtraCategory", "categoryType"),
    optional("ExtraCategory", "forModelTypes"),
    Select::Field {
        name: "choiceOptions",
        of: CHOICE,
        optional: Some("ExtraCategory"),
    },
];

const PAGE_INFO: Select = object("pageInfo", &[field("hasNextPage"), field("endCursor")]);

const COUNT: Select = field("count");

pub(super) const USER_PAGE: &[Select] = &[object("edges", &[object("node", USER)]), PAGE_INFO, COUNT];
pub(super) const ID_PAGE: &[Select] = &[object("edges", &[object("node", ID)]), PAGE_INFO, COUNT];
pub(super) const GROUP_PAGE: &[Select] = &[object("edges", &[object("node", GROUP)]), PAGE_INFO, COUNT];
pub(super) const TRAINING_PAGE: &[Select] = &[object("edges", &[object("node", TRAINING)]), PAGE_INFO, COUNT];

const TIME_SPENT: Select = Select::Field {
    name: "timeSpent",
    of: &[field("days"), field("seconds")],
    optional: Some(PORTFOLIO_ROW),
};

/// How that type is called is documented nowhere.
const PORTFOLIO_ROW: &str = "PortfolioReportItem";

/// What is asked of a row: no more of a person than which account it is, unless a person asks for it.
const fn row_of(user: &'static [Select]) -> [Select; 7] {
    [
        object("user", user),
        field("title"),
        optional(PORTFOLIO_ROW, "progress"),
        optional(PORTFOLIO_ROW, "score"),
        field("completionDate"),
        optional(PORTFOLIO_ROW, "endDate"),
        TIME_SPENT,
    ]
}

const PERSON: &[Select] = &[field("id"), field("ref"), field("name"), field("email")];

pub(super) const PORTFOLIO_PAGE: &[Select] = &[object("edges", &[object("node", &row_of(ID))]), PAGE_INFO, COUNT];
pub(super) const NAMED_PORTFOLIO_PAGE: &[Select] =
    &[object("edges", &[object("node", &row_of(PERSON))]), PAGE_INFO, COUNT];

const LOGIN: &[Select] = &[field("id"), field("ref"), field("lastLogin")];
const NAMED_LOGIN: &[Select] = &[
    field("id"),
    field("ref"),
    field("name"),
    field("email"),
    field("lastLogin"),
];

pub(super) const LOGIN_PAGE: &[Select] = &[object("edges", &[object("node", LOGIN)]), PAGE_INFO, COUNT];
pub(super) const NAMED_LOGIN_PAGE: &[Select] = &[object("edges", &[object("node", NAMED_LOGIN)]), PAGE_INFO, COUNT];

pub(super) const USER_PAYLOAD: &[Select] = &[object("user", USER)];
pub(super) const GROUP_PAYLOAD: &[Select] = &[object("group", GROUP)];
pub(super) const VALUES_PAYLOAD: &[Select] = &[object("extraCategoryValues", VALUES)];
pub(super) const DELETED: &[Select] = &[field("ok")];
pub(super) const ADDED: &[Select] = &[field("addedIds"), field("alreadyAddedIds")];
pub(super) const REMOVED: &[Select] = &[field("removedIds"), field("alreadyRemovedIds")];
pub(super) const REMOVED_OR_LINKED: &[Select] = &[
    field("removedIds"),
    field("alreadyRemovedIds"),
    field("idsLinkedViaObject"),
];
pub(super) const ENROLLMENTS: &[Select] = &[object("user", ID), field("status")];
pub(super) const UNENROLLED: &[Select] = &[field("success")];
pub(super) const BULK_RESPONSE: &[Select] = &[object("response", &[field("succeededIds")])];
