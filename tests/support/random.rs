//! Random policies and requests from one seed, the same in every run.
//!
//! Both use the same few hosts, paths, headers and accounts, so that rollouts match, rules hold and segments are
//! hit often enough.

use serde_json::{Value, json};

use crate::corpus::CaseRequest;

const HOSTS: &[&str] = &["a.example.com", "b.example.com", "[::1]"];
const METHODS: &[&str] = &["GET", "POST", "DELETE"];
const REGIONS: &[&str] = &["us-east-1", "us-west-2", "eu-west-1"];
const SEGMENTS: &[&str] = &["hvc", "big", "beta"];
/// Names of headers that rollouts and rules use.
pub const HEADERS: &[&str] = &["x-beta", "x-tier", "x-client"];
const VALUES: &[&str] = &["yes", "gold", "gold-1", "ios/17", ""];
/// Accounts of segments and of requests.
const ACCOUNTS: u64 = 60;
const ROLLOUTS: u64 = 6;

/// A random number generator: SplitMix64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[expect(
        clippy::should_implement_trait,
        reason = "a generator is not an iterator: it never ends"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True with a probability of so many millionths.
    pub fn happens(&mut self, per_million: u64) -> bool {
        self.below(1_000_000) < per_million
    }

    /// True with a probability of so many percent.
    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn one_of<T: Clone>(&mut self, list: &[T]) -> T {
        let index = self.below(list.len() as u64) as usize;
        list[index].clone()
    }

    /// Some items of a list, at least one, in their order.
    fn some_of<T: Clone>(&mut self, list: &[T]) -> Vec<T> {
        let mut some: Vec<T> = list.iter().filter(|_| self.chance(50)).cloned().collect();
        if some.is_empty() {
            some.push(self.one_of(list));
        }
        some
    }

    fn account(&mut self) -> String {
        let number = self.below(ACCOUNTS);
        let digits = Random::new(number);
        let [mut high, mut low] = [digits, Random::new(!number)];
        format!("AC{:016x}{:016x}", high.next(), low.next())
    }
}

/// A valid policy with several rollouts to the clusters `channels-v1` and `channels-v2`.
pub fn policy(random: &mut Random) -> Value {
    let format = random.one_of(&["sid", "sid", "opaque"]);
    let from = [
        json!({ "header": "x-account-sid" }),
        json!({ "basic_auth": "username" }),
        json!({ "path": "/v1/{account}/**" }),
        json!({ "path": "/v2/Accounts/{account}.json" }),
    ];
    let mut from = random.some_of(&from);
    if random.chance(30) {
        from.reverse();
    }
    let segments: serde_json::Map<String, Value> = SEGMENTS
        .iter()
        .map(|name| {
            let accounts: Vec<String> = (0..random.below(15)).map(|_| random.account()).collect();
            ((*name).to_owned(), json!({ "accounts": accounts }))
        })
        .collect();
    let count = 3 + random.below(ROLLOUTS - 2);
    let rollouts: Vec<Value> = (0..count).map(|index| rollout(random, index)).collect();
    json!({
        "version": 1,
        "account": { "from": from, "format": format },
        "segments": segments,
        "halted": random.chance(5),
        "rollouts": rollouts,
    })
}

fn rollout(random: &mut Random, index: u64) -> Value {
    let modes = [
        "split", "split", "split", "split", "split", "dark", "on", "off",
    ];
    let mut rollout = json!({
        "name": format!("r{index}"),
        "v1": "channels-v1",
        "v2": "channels-v2",
        "mode": random.one_of(&modes),
        "halted": random.chance(5),
    });
    if random.chance(75) {
        rollout["match"] = request_match(random);
    }
    if random.chance(30) {
        rollout["salt"] = json!(random.one_of(&["one", "another"]));
    }
    let rules: Vec<Value> = (0..random.below(5)).map(|_| rule(random)).collect();
    rollout["rules"] = json!(rules);
    if random.chance(20) {
        // Decisions then depend on the policy and the request alone.
        rollout["guard"] = json!({ "action": "report" });
    }
    rollout
}

fn request_match(random: &mut Random) -> Value {
    let mut wanted = json!({});
    if random.chance(30) {
        wanted["hosts"] = json!(random.some_of(HOSTS));
    }
    if random.chance(60) {
        wanted["path"] = random.one_of(&[
            json!({ "prefix": "/v1/" }),
            json!({ "prefix": "/v2/Acc" }),
            json!({ "template": "/v1/*/Calls/**" }),
            json!({ "template": "/v1/**" }),
            json!({ "exact": "/health" }),
        ]);
    }
    if random.chance(25) {
        wanted["methods"] = json!(random.some_of(METHODS));
    }
    if random.chance(20) {
        wanted["headers"] = header(random);
    }
    wanted
}

fn header(random: &mut Random) -> Value {
    let test = match random.below(4) {
        0 => json!({ "exact": random.one_of(VALUES) }),
        1 => json!({ "prefix": "gold" }),
        2 => json!({ "present": true }),
        _ => json!({ "present": false }),
    };
    json!({ random.one_of(HEADERS): test })
}

fn rule(random: &mut Random) -> Value {
    let mut when = json!({});
    if random.chance(25) {
        when["in"] = json!(random.some_of(SEGMENTS));
    }
    if random.chance(25) {
        when["not_in"] = json!(random.some_of(SEGMENTS));
    }
    if random.chance(25) {
        when["headers"] = header(random);
    }
    if random.chance(25) {
        when["regions"] = json!(random.some_of(REGIONS));
    }
    let mut rule = json!({ "when": when });
    if random.chance(15) {
        rule["serve"] = json!("v1");
        return rule;
    }
    match random.below(3) {
        0 => {}
        1 => rule["accounts"] = percentage(random),
        _ => rule["accounts"] = ramp(random),
    }
    if random.chance(50) {
        rule["requests"] = percentage(random);
    }
    rule
}

fn percentage(random: &mut Random) -> Value {
    let decimals = random.one_of(&[1, 100, 1_000_000]);
    let number = random.below(100 * decimals + 1);
    json!(number as f64 / decimals as f64)
}

/// A ramp whose steps are far in the past or the future, so that it does not change while a test runs.
fn ramp(random: &mut Random) -> Value {
    let moments = [
        "2001-01-01T00:00:00Z",
        "2020-02-29T23:59:59+01:00",
        "2100-01-01T00:00:00Z",
    ];
    let steps = random.some_of(&moments).into_iter();
    let steps = steps.map(|from| json!({ "from": from, "percent": percentage(random) }));
    json!(steps.collect::<Vec<_>>())
}

/// A request that any HTTP client can send. Its account is sometimes malformed or missing.
pub fn request(random: &mut Random) -> CaseRequest {
    let account = account(random);
    let is_plain = !account.is_empty() && account.chars().all(|c| c.is_ascii_alphanumeric());
    let in_path = match is_plain {
        true => account.clone(),
        // A path cannot contain these bytes unescaped, and Envoy merges slashes.
        false => random.one_of(&["%41C", "x%zzy", "%61lice"]).to_owned(),
    };
    let path = match random.below(6) {
        0 => String::from("/"),
        1 => String::from("/health"),
        2 => format!("/v2/Accounts/{in_path}.json"),
        3 => format!("/v1/{in_path}"),
        _ => format!("/v1/{in_path}/Calls"),
    };
    let host = random.one_of(HOSTS);
    let host = match random.below(4) {
        0 => host.to_uppercase(),
        1 => format!("{host}:8080"),
        _ => host.to_owned(),
    };
    let mut headers = Vec::new();
    let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
    if random.chance(70) {
        add("X-Account-Sid", account.clone());
    }
    if random.chance(3) {
        add("x-account-sid", random.account());
    }
    if random.chance(30) {
        add("authorization", authorization(random, &account));
    }
    for name in HEADERS {
        if random.chance(30) {
            add(name, random.one_of(VALUES).to_owned());
        }
    }
    if random.chance(25) {
        add("x-turnout-decision", decisions(random));
    }
    if random.chance(10) {
        add("x-turnout-treatment", String::from("v2"));
    }
    if random.chance(80) {
        let id = random.next();
        add(
            "x-request-id",
            match random.chance(80) {
                true => format!("{id:016x}"),
                false => format!("!{}~{}", id % 10, "é".repeat((id % 70) as usize)),
            },
        );
    }
    CaseRequest {
        method: random.one_of(METHODS).to_owned(),
        host,
        path,
        headers,
    }
}

fn account(random: &mut Random) -> String {
    match random.below(20) {
        0 => String::new(),
        1 => random.account().to_lowercase(),
        2 => format!("{}0", random.account()),
        3 => String::from("alice"),
        4 => "é".repeat(1 + random.below(80) as usize),
        5 => format!("AC{:016x}{:016x}", random.next(), random.next()),
        _ => random.account(),
    }
}

fn authorization(random: &mut Random, account: &str) -> String {
    match random.below(10) {
        0 => String::from("Bearer abc"),
        1 => String::from("Basic"),
        2 => String::from("Basic !!!"),
        3 => format!("Basic {}, Bearer abc", base64(account.as_bytes())),
        4 => format!("basic  {}", base64(account.as_bytes())),
        5 => basic(&account.replacen("AC", "SK", 1)),
        6 => basic(&random.account().replacen("AC", "SK", 1)),
        _ => basic(account),
    }
}

/// Basic credentials of a user.
pub fn basic(user: &str) -> String {
    format!("Basic {}", base64(format!("{user}:secret").as_bytes()))
}

fn decisions(random: &mut Random) -> String {
    let entries = (0..random.below(5)).map(|_| {
        let rollout = random.below(ROLLOUTS);
        let treatment = random.one_of(&["v1", "v2", "v2", "v3"]);
        format!("r{rollout}={treatment}")
    });
    entries.collect::<Vec<_>>().join(",")
}

/// Base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, index| {
            bits << 8 | u32::from(chunk.get(index).copied().unwrap_or(0))
        });
        for digit in 0..4 {
            text.push(match digit <= chunk.len() {
                true => char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]),
                false => '=',
            });
        }
    }
    text
}
