//! The codes of errors: one stable word for each kind of problem that makes a policy unusable.

/// What kind of error a policy has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ErrorCode {
    /// The text is empty.
    Empty,
    /// The text is not UTF-8.
    NotUtf8,
    /// The text is not JSON.
    Syntax,
    /// A value with a JSON type that its field does not take.
    WrongType,
    /// A field that the policy language does not have.
    UnknownField,
    /// A field that an object has more than once.
    RepeatedField,
    /// A required field that is missing.
    MissingField,
    /// A string that is not one of the words its field takes.
    UnknownWord,
    /// A condition on a segment that the policy does not declare.
    UnknownSegment,
    /// A rollout, named on the command line or in the plan of a roll, that the policy does not have.
    UnknownRollout,
    /// A rollout with the name of an earlier one.
    RepeatedRollout,
    /// An object that does not have exactly one of its alternative fields.
    NotOneOf,
    /// A list or an object with more items than allowed.
    TooMany,
    /// A list that must not be empty.
    EmptyList,
    /// A plugin configuration that contradicts itself.
    InvalidValue,
    /// A hash written as one word although its tool needs parameters.
    BareHash,
    /// A GrowthBook namespace whose `from` is not below its `to`.
    EmptyNamespace,
    /// A `rewrite` that changes nothing.
    EmptyRewrite,
    /// A number that some JSON parsers round.
    InexactNumber,
    /// An account that does not have the policy's format.
    MalformedAccount,
    /// A cluster name that cannot be a header value.
    MalformedCluster,
    /// A header name or value that is not valid.
    MalformedHeader,
    /// A host that is not valid.
    MalformedHost,
    /// A method that is not valid.
    MalformedMethod,
    /// A segment or rollout name that is not a DNS label.
    MalformedName,
    /// Packed accounts that are not the base64 of sorted SIDs.
    MalformedPacked,
    /// A path or path template that is not valid.
    MalformedPath,
    /// A percentage outside 0 to 100, or with more than six decimals.
    MalformedPercentage,
    /// A JSON Pointer that is not valid.
    MalformedPointer,
    /// A region that is not valid.
    MalformedRegion,
    /// A revision that is not valid.
    MalformedRevision,
    /// A `rewrite` of the matched prefix in a rollout whose `match` has no prefix.
    MalformedRewrite,
    /// A salt that is empty or too long.
    MalformedSalt,
    /// A string with half of a surrogate pair.
    MalformedString,
    /// A hash parameter that is too short or too long.
    MalformedText,
    /// A time that is not valid.
    MalformedTime,
    /// A tolerance that is not a number from 0.
    MalformedTolerance,
    /// A number outside its range.
    OutOfRange,
    /// Packed accounts in a policy whose accounts are opaque.
    PackedOpaque,
    /// A guard whose `over_ms` is longer than its `settle_seconds`.
    SlowAfterSettling,
    /// A percentage that is finer than the positions of its hash.
    TooFinePercentage,
    /// A number of a guard with more decimals than its field takes.
    TooManyDecimals,
    /// A guarded rollout with more percentages of `requests` than a guard compares.
    TooManyStrata,
    /// A LaunchDarkly hash with a `seed` and a `flag_key` or `salt`.
    TwoSeeds,
    /// A Split algorithm that is not supported.
    UnknownAlgorithm,
    /// A version of the policy language that this release does not know.
    UnknownVersion,
    /// A ramp whose steps are not in chronological order.
    UnorderedSteps,
    /// An account file that cannot be used.
    UnreadAccounts,
    /// A guard that tests single accounts for errors and does not compare errors.
    UselessAccounts,
    /// A percentage in a rule that serves v1.
    UselessPercentage,
    /// A `traffic_allocation_seed` without a `traffic_allocation`.
    UselessSeed,
    /// A `start` in a GrowthBook hash that is not an experiment.
    UselessStart,
}

impl ErrorCode {
    /// All codes.
    pub const ALL: [Self; 52] = [
        Self::Empty,
        Self::NotUtf8,
        Self::Syntax,
        Self::WrongType,
        Self::UnknownField,
        Self::RepeatedField,
        Self::MissingField,
        Self::UnknownWord,
        Self::UnknownSegment,
        Self::UnknownRollout,
        Self::RepeatedRollout,
        Self::NotOneOf,
        Self::TooMany,
        Self::EmptyList,
        Self::InvalidValue,
        Self::BareHash,
        Self::EmptyNamespace,
        Self::EmptyRewrite,
        Self::InexactNumber,
        Self::MalformedAccount,
        Self::MalformedCluster,
        Self::MalformedHeader,
        Self::MalformedHost,
        Self::MalformedMethod,
        Self::MalformedName,
        Self::MalformedPacked,
        Self::MalformedPath,
        Self::MalformedPercentage,
        Self::MalformedPointer,
        Self::MalformedRegion,
        Self::MalformedRevision,
        Self::MalformedRewrite,
        Self::MalformedSalt,
        Self::MalformedString,
        Self::MalformedText,
        Self::MalformedTime,
        Self::MalformedTolerance,
        Self::OutOfRange,
        Self::PackedOpaque,
        Self::SlowAfterSettling,
        Self::TooFinePercentage,
        Self::TooManyDecimals,
        Self::TooManyStrata,
        Self::TwoSeeds,
        Self::UnknownAlgorithm,
        Self::UnknownVersion,
        Self::UnorderedSteps,
        Self::UnreadAccounts,
        Self::UselessAccounts,
        Self::UselessPercentage,
        Self::UselessSeed,
        Self::UselessStart,
    ];

    /// The code as tools see it, for example `unknown-field`. It stays the same when a message is reworded.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotUtf8 => "not-utf8",
            Self::Syntax => "syntax",
            Self::WrongType => "wrong-type",
            Self::UnknownField => "unknown-field",
            Self::RepeatedField => "repeated-field",
            Self::MissingField => "missing-field",
            Self::UnknownWord => "unknown-word",
            Self::UnknownSegment => "unknown-segment",
            Self::UnknownRollout => "unknown-rollout",
            Self::RepeatedRollout => "repeated-rollout",
            Self::NotOneOf => "not-one-of",
            Self::TooMany => "too-many",
            Self::EmptyList => "empty-list",
            Self::InvalidValue => "invalid-value",
            Self::BareHash => "bare-hash",
            Self::EmptyNamespace => "empty-namespace",
            Self::EmptyRewrite => "empty-rewrite",
            Self::InexactNumber => "inexact-number",
            Self::MalformedAccount => "malformed-account",
            Self::MalformedCluster => "malformed-cluster",
            Self::MalformedHeader => "malformed-header",
            Self::MalformedHost => "malformed-host",
            Self::MalformedMethod => "malformed-method",
            Self::MalformedName => "malformed-name",
            Self::MalformedPacked => "malformed-packed",
            Self::MalformedPath => "malformed-path",
            Self::MalformedPercentage => "malformed-percentage",
            Self::MalformedPointer => "malformed-pointer",
            Self::MalformedRegion => "malformed-region",
            Self::MalformedRevision => "malformed-revision",
            Self::MalformedRewrite => "malformed-rewrite",
            Self::MalformedSalt => "malformed-salt",
            Self::MalformedString => "malformed-string",
            Self::MalformedText => "malformed-text",
            Self::MalformedTime => "malformed-time",
            Self::MalformedTolerance => "malformed-tolerance",
            Self::OutOfRange => "out-of-range",
            Self::PackedOpaque => "packed-opaque",
            Self::SlowAfterSettling => "slow-after-settling",
            Self::TooFinePercentage => "too-fine-percentage",
            Self::TooManyDecimals => "too-many-decimals",
            Self::TooManyStrata => "too-many-strata",
            Self::TwoSeeds => "two-seeds",
            Self::UnknownAlgorithm => "unknown-algorithm",
            Self::UnknownVersion => "unknown-version",
            Self::UnorderedSteps => "unordered-steps",
            Self::UnreadAccounts => "unread-accounts",
            Self::UselessAccounts => "useless-accounts",
            Self::UselessPercentage => "useless-percentage",
            Self::UselessSeed => "useless-seed",
            Self::UselessStart => "useless-start",
        }
    }
}
