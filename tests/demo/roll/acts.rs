//! The two acts of the demo: a v2 that is good, and one that gets worse at the third step.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use support::demo::Traffic;
use support::demo::accounts::Segment;
use support::demo::screen::errors;
use support::terminal::show;
use support::wasm::filter_wasm;

use crate::check::{self, Decided};
use crate::counts::Counts;
use crate::plan::{self, Active, Release, STEPS, WORSE_AT};
use crate::roll_command::{self, Ended, Roll};
use crate::rollback::Rollback;
use crate::screen;
use crate::testbed::Testbed;
use crate::traffic::{self, Exchange, RATE};

/// How long the traffic continues after a roll has ended.
const AFTER: Duration = Duration::from_secs(2);
/// Of the accounts that take v2 for the first time in the third step, one in so many has data that the second release
/// cannot read.
const BROKEN: usize = 3;
/// Far more errors than users see before the guards send everyone to v1, even on a loaded machine.
const MOST_ERRORS: usize = 200;
/// The smallest rate, in percent of the intended one, of a machine that is loaded.
const LEAST_RATE: u64 = 80;

/// The running demo.
pub(crate) struct Demo {
    testbed: Testbed,
    /// The number of the next request.
    next: Arc<AtomicU64>,
    /// All requests so far, and how many of them have no response of an upstream.
    pub(crate) requests: usize,
    pub(crate) lost: usize,
    /// How many results were not as expected.
    pub(crate) wrong: usize,
    /// The errors of v2 that users saw in the second act.
    pub(crate) errors: usize,
}

/// The traffic of an act, and what was counted before it.
struct Running {
    traffic: Traffic<Exchange>,
    began: Instant,
    counts: Counts,
    received: [u64; 2],
}

impl Demo {
    pub(crate) async fn start() -> Result<Self, String> {
        let testbed = Testbed::start(&Release::new("release-0")?.policy()).await;
        show(&screen::opening(&testbed))?;
        Ok(Self {
            testbed,
            next: Arc::new(AtomicU64::new(0)),
            requests: 0,
            lost: 0,
            wrong: 0,
            errors: 0,
        })
    }

    /// v2 is good, and the plan moves it through all steps. Meanwhile the command is killed once.
    pub(crate) async fn healthy(&mut self) -> Result<(), String> {
        let meaning = "Nothing fails. At the second step the command is killed with kill -9, and started again.";
        show(&screen::act(1, "v2 is good", meaning))?;
        let release = Release::new("release-1")?;
        self.apply(&release).await?;
        let running = self.begin().await;
        let arguments = self.arguments(&release)?;
        show(&screen::typed(&release))?;
        let mut roll = Roll::start(&arguments)?;
        let is_baking = format!("{}: all proxies run", STEPS[1].name);
        let ended = roll.follow(|line| line.contains(&is_baking)).await?;
        if ended.is_some() {
            return Err(format!("the roll ended before the line {is_baking:?}"));
        }
        roll.kill();
        show(&screen::killed())?;
        let ended = self.roll(&arguments).await?;
        let (exchanges, counts) = self.end(running, &release).await?;

        let decided = Decided::all(&exchanges, &release);
        show(&screen::steps(&release, &decided, &ended.records))?;
        let mut wrong = check::requests(&decided, &release, |_| false);
        let steps = (0..STEPS.len()).map(Active::Step);
        let order: Vec<Active> = [Active::Before].into_iter().chain(steps).collect();
        wrong.extend(check::order(&decided, &order));
        for (index, record) in ended.records.iter().enumerate() {
            wrong.extend(check::passed(&decided, index, record));
        }
        wrong.extend(check::counters(&decided, counts));
        wrong.extend(exit_code_is_not(0, &ended));
        self.wrong(&wrong)
    }

    /// The next v2 fails for some of the accounts that take it for the first time in the third step.
    pub(crate) async fn regressed(&mut self) -> Result<(), String> {
        let meaning = format!(
            "The plan begins again with the next release of v2. It fails for one in {BROKEN} of the accounts that the step {} \
             adds,\nas if it could not read their data.",
            STEPS[WORSE_AT].name
        );
        show(&screen::act(
            2,
            "the next v2 gets worse at the third step",
            &meaning,
        ))?;
        let release = Release::new("release-2")?;
        let new = Segment::Regular.sids();
        let new = new.filter(|sid| release.is_new_at_the_worse_step(sid));
        let broken: Arc<HashSet<String>> = Arc::new(new.step_by(BROKEN).collect());
        self.testbed.release_v2({
            let broken = Arc::clone(&broken);
            move |received| {
                let account = received.header("x-account-sid");
                account.is_some_and(|sid| broken.contains(sid))
            }
        });
        self.apply(&release).await?;
        let running = self.begin().await;
        let arguments = self.arguments(&release)?;
        show(&screen::typed(&release))?;
        let ended = self.roll(&arguments).await?;
        let (exchanges, counts) = self.end(running, &release).await?;

        let decided = Decided::all(&exchanges, &release);
        show(&screen::steps(&release, &decided, &ended.records))?;
        let mut wrong = check::requests(&decided, &release, |exchange| {
            broken.contains(&*exchange.sid)
        });
        let before = WORSE_AT - 1;
        let steps = (0..=WORSE_AT).chain([before]).map(Active::Step);
        let order: Vec<Active> = [Active::Before].into_iter().chain(steps).collect();
        wrong.extend(check::order(&decided, &order));
        for (index, record) in ended.records.iter().enumerate().take(WORSE_AT) {
            wrong.extend(check::passed(&decided, index, record));
        }
        let rollback = Rollback::of(&decided, &ended)?;
        self.errors = rollback.errors;
        show(&screen::rollback(&rollback))?;
        wrong.extend(rollback.wrong(MOST_ERRORS));
        wrong.extend(check::counters(&decided, counts));
        wrong.extend(exit_code_is_not(1, &ended));
        self.wrong(&wrong)
    }

    /// Applies the policy with which the plan of a release begins: v1 serves everyone.
    async fn apply(&self, release: &Release) -> Result<(), String> {
        let file = self
            .testbed
            .write(&format!("{}.json", release.name), &release.policy())?;
        let filter = filter_wasm().display().to_string();
        let folder = self.testbed.watched().display().to_string();
        let [first, second] = self.testbed.admins();
        let arguments = [
            "apply",
            &file,
            "--wasm",
            &filter,
            "--dir",
            &folder,
            "--admin",
            &first,
            "--admin",
            &second,
            "--who",
            "demo",
            "--why",
            "v1 serves everyone",
        ];
        roll_command::run(arguments.map(str::to_owned).to_vec()).await?;
        Ok(())
    }

    /// The arguments of `turnout roll` for the plan of a release.
    fn arguments(&self, release: &Release) -> Result<Vec<String>, String> {
        let policy = format!("{}.json", release.name);
        let plan = self
            .testbed
            .write(&screen::plan_file(release), &plan::document(&policy))?;
        let folder = self.testbed.watched().display().to_string();
        let [first, second] = self.testbed.admins();
        let arguments = [
            "roll",
            &plan,
            "--dir",
            &folder,
            "--admin",
            &first,
            "--admin",
            &second,
            "--interval",
            "500ms",
        ];
        Ok(arguments.map(str::to_owned).to_vec())
    }

    /// Runs `turnout roll` to its end, and lets the traffic continue for a while.
    async fn roll(&self, arguments: &[String]) -> Result<Ended, String> {
        let code = Roll::start(arguments)?.follow(|_| false).await?;
        let at = Instant::now();
        let records = roll_command::records(&self.testbed.watched())?;
        tokio::time::sleep(AFTER).await;
        Ok(Ended {
            code: code.flatten(),
            at,
            records,
        })
    }

    async fn begin(&self) -> Running {
        Running {
            counts: self.testbed.counts().await,
            received: self.testbed.received(),
            began: Instant::now(),
            traffic: traffic::start(self.testbed.addresses(), &self.next),
        }
    }

    /// Ends the traffic, checks that nothing was lost, and waits until the guards have counted all.
    async fn end(
        &mut self,
        running: Running,
        release: &Release,
    ) -> Result<(Vec<Exchange>, Counts), String> {
        let exchanges = running.traffic.finish().await;
        let seconds = running.began.elapsed().as_secs_f64();
        let received = self.testbed.received();
        let [v1, v2] = running.received;
        let received = [received[0] - v1, received[1] - v2];
        let lost = exchanges.iter().filter(|one| one.is_lost()).count();
        self.requests += exchanges.len();
        self.lost += lost;
        let rate = exchanges.len() as f64 / seconds;
        show(&screen::traffic(exchanges.len(), seconds, lost, received))?;
        let mut wrong = Vec::new();
        wrong.extend(check::upstreams(&exchanges, received));
        if rate < (RATE * LEAST_RATE) as f64 / 100.0 {
            wrong.push(format!("only {rate:.0} requests a second, not {RATE}"));
        }
        self.wrong(&wrong)?;
        let decided = Decided::all(&exchanges, release);
        let compared = decided.iter().filter(|one| one.is_compared()).count();
        let counts = self
            .testbed
            .settled(running.counts, compared as u64)
            .await?;
        Ok((exchanges, counts))
    }

    fn wrong(&mut self, wrong: &[String]) -> Result<(), String> {
        self.wrong += wrong.len();
        match wrong.is_empty() {
            true => Ok(()),
            false => show(&errors("This is not as expected:", wrong)),
        }
    }
}

fn exit_code_is_not(expected: i32, ended: &Ended) -> Option<String> {
    let wrong = format!("turnout roll exited with {:?}, not {expected}", ended.code);
    Some(wrong).filter(|_| ended.code != Some(expected))
}
