//! Compares the policy with the tool's own SDK, for 2,000 accounts of each flag.
//!
//! `tests/corpus/import/README.md` describes how the tables were made; each flag has a column. The tables
//! of treatments have the SDK's treatment. For a lossy import, the tables of bounds have v2 where the SDK
//! serves v2 whatever the other attributes are: no other account may take v2.

use std::fs;

use turnout_core::{Headers, Inbound, Plan, Time, Treatment, decide};

use crate::cases::{TOOLS, all, folder};

#[test]
fn the_policy_decides_like_the_sdk() {
    let mut columns = 0;
    for entry in TOOLS
        .map(folder)
        .into_iter()
        .flat_map(|path| fs::read_dir(path).expect("a folder"))
    {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|end| end != "csv") {
            continue;
        }
        let is_bound = path.ends_with("bounds.csv");
        let mut table = csv::Reader::from_path(&path).expect("a table");
        let flags: Vec<_> = table
            .headers()
            .expect("a head")
            .iter()
            .map(str::to_owned)
            .collect();
        let rows: Vec<_> = table.records().map(|row| row.expect("a row")).collect();
        assert_eq!(rows.len(), 2_000, "{}", path.display());
        for (column, flag) in flags.iter().enumerate().skip(1) {
            columns += 1;
            let mut cases = all().into_iter();
            let case = cases.find(|case| case.name == flag && path.starts_with(folder(case.tool)));
            let imported = case.expect("a case").import().expect("an import");
            assert_eq!(imported.is_lossy, is_bound, "{flag} in {}", path.display());
            let plan = Plan::from_json(&imported.policy).expect("a policy");
            for row in &rows {
                let (account, is_v2_in_sdk) = (&row[0], &row[column] == "v2");
                let is_v2 = takes_v2(&plan, account);
                let agrees = is_v2 == is_v2_in_sdk || (is_bound && is_v2_in_sdk);
                assert!(agrees, "{flag} in {}: {account}: {is_v2}", path.display());
            }
        }
    }
    assert_eq!(columns, 51);
}

fn takes_v2(plan: &Plan, account: &str) -> bool {
    let headers = [(&b"x-account-sid"[..], account.as_bytes())];
    let request = plan.request(Headers::new(&headers), Inbound::Strip, Time::default());
    decide(plan, &request).treatment == Treatment::V2
}
