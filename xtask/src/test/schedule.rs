//! Chooses the next step. Three run at a time, each after the steps that it needs have passed: one
//! that compiles and two that wait, as long as there are both.

use super::Verdict;

/// The number of steps that run at a time. With two, two cores are idle for two fifths of a whole run.
const LANES: usize = 3;

/// The number of compiling steps that run at a time, and only while no other step is ready: each takes
/// all cores, and they wait for each other's locks.
const COMPILERS: usize = 2;

/// A step's use of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Load {
    /// It compiles, on all cores.
    Compiles,
    /// It waits for browsers, servers or timers most of the time.
    Waits,
    /// It measures time or memory, which another step would disturb.
    Alone,
}

/// The properties of a step that decide when it runs.
pub trait Plan: Copy {
    /// Its name.
    fn name(self) -> &'static str;
    /// Its use of the machine.
    fn load(self) -> Load;
    /// The names of the steps that must have passed before.
    fn needs(self) -> &'static [&'static str];
}

/// The steps of one run, and how far each has come.
pub struct Schedule<P> {
    steps: Vec<(P, State)>,
}

enum State {
    Pending,
    Running,
    Ended(Verdict),
}

impl<P: Plan> Schedule<P> {
    /// A run of the steps for which `is_chosen`, and of all that they need.
    pub fn new(all: &[P], is_chosen: impl Fn(P) -> bool) -> Self {
        let mut chosen: Vec<bool> = all.iter().map(|&step| is_chosen(step)).collect();
        // A step's needs come before it in the table.
        for index in (0..all.len()).rev() {
            for need in if chosen[index] { all[index].needs() } else { &[] } {
                let needed = all[..index].iter().position(|step| step.name() == *need);
                chosen[needed.expect("a step needs only steps before it")] = true;
            }
        }
        let steps = all.iter().zip(chosen).filter(|(_, chosen)| *chosen);
        Self { steps: steps.map(|(&step, _)| (step, State::Pending)).collect() }
    }

    /// The step to start now, if there is one. It counts as running until [`Self::end`].
    pub fn start(&mut self) -> Option<P> {
        let running: Vec<_> = self.running().map(P::load).collect();
        if running.len() == LANES || running.contains(&Load::Alone) {
            return None;
        }
        let ready = |load| (0..self.steps.len()).find(|&index| self.is_ready(index, load));
        let compiles = |load: &&Load| **load == Load::Compiles;
        let index = match running.iter().filter(compiles).count() {
            0 => ready(Load::Compiles).or_else(|| ready(Load::Waits)),
            _ => ready(Load::Waits)
                .or_else(|| ready(Load::Compiles).filter(|_| running.len() < COMPILERS)),
        };
        let alone = || ready(Load::Alone).filter(|_| running.is_empty());
        let index = index.or_else(alone)?;
        self.steps[index].1 = State::Running;
        Some(self.steps[index].0)
    }

    /// Records the result of a step, and ends those that needed it and can no longer run.
    pub fn end(&mut self, name: &str, verdict: Verdict) {
        let step = self.steps.iter_mut().find(|(step, _)| step.name() == name);
        step.expect("a step that ends was started").1 = State::Ended(verdict);
        for index in 0..self.steps.len() {
            if !matches!(self.steps[index].1, State::Pending) {
                continue;
            }
            let needs = self.steps[index].0.needs();
            if let Some(verdict) = needs.iter().find_map(|need| self.consequence(need)) {
                self.steps[index].1 = State::Ended(verdict);
            }
        }
    }

    /// The steps that run now.
    pub fn running(&self) -> impl Iterator<Item = P> {
        self.steps
            .iter()
            .filter(|(_, state)| matches!(state, State::Running))
            .map(|(step, _)| *step)
    }

    /// The result of each step, in the order of the table.
    pub fn verdicts(self) -> Vec<(P, Verdict)> {
        let verdict = |(step, state)| match state {
            State::Ended(verdict) => Some((step, verdict)),
            State::Pending | State::Running => None,
        };
        self.steps.into_iter().filter_map(verdict).collect()
    }

    /// Whether a step with such a load could begin now.
    fn is_ready(&self, index: usize, load: Load) -> bool {
        let (step, state) = &self.steps[index];
        let has_passed = |need: &&str| matches!(self.verdict(need), Some(Verdict::Passed { .. }));
        step.load() == load
            && matches!(state, State::Pending)
            && step.needs().iter().all(has_passed)
    }

    fn verdict(&self, name: &str) -> Option<&Verdict> {
        self.steps.iter().find_map(|(step, state)| match state {
            State::Ended(verdict) if step.name() == name => Some(verdict),
            _ => None,
        })
    }

    /// The result of a step that needs another, if that one did not pass.
    fn consequence(&self, need: &str) -> Option<Verdict> {
        match self.verdict(need)? {
            Verdict::Passed { .. } => None,
            Verdict::Skipped { .. } => {
                Some(Verdict::Skipped { seconds: 0.0, why: format!("{need} was skipped") })
            }
            Verdict::Failed { .. } | Verdict::NotRun { .. } => {
                Some(Verdict::NotRun { why: format!("{need} did not pass") })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fake = (&'static str, Load, &'static [&'static str]);

    impl Plan for Fake {
        fn name(self) -> &'static str {
            self.0
        }
        fn load(self) -> Load {
            self.1
        }
        fn needs(self) -> &'static [&'static str] {
            self.2
        }
    }

    const STEPS: &[Fake] = &[
        ("lint", Load::Compiles, &[]),
        ("build", Load::Compiles, &[]),
        ("page", Load::Waits, &["build"]),
        ("node", Load::Waits, &["build"]),
        ("bench", Load::Alone, &["node"]),
    ];

    fn passed() -> Verdict {
        Verdict::Passed { seconds: 1.0 }
    }

    fn failed() -> Verdict {
        Verdict::Failed { seconds: 1.0, why: "no".to_owned() }
    }

    fn start(schedule: &mut Schedule<Fake>) -> Option<&'static str> {
        schedule.start().map(|step| step.0)
    }

    #[test]
    fn two_compiling_steps_run_beside_each_other_only_while_nothing_else_is_ready() {
        let mut schedule = Schedule::new(STEPS, |_| true);
        assert_eq!(start(&mut schedule), Some("lint"));
        assert_eq!(start(&mut schedule), Some("build"), "nothing that waits is ready");
        assert_eq!(start(&mut schedule), None, "two compilers take all cores");
        schedule.end("build", passed());
        assert_eq!(start(&mut schedule), Some("page"));
        assert_eq!(start(&mut schedule), Some("node"));
        assert_eq!(start(&mut schedule), None, "a measuring step runs alone");
    }

    #[test]
    fn a_compiling_step_runs_beside_two_that_wait() {
        let steps: &[Fake] = &[
            ("a", Load::Waits, &[]),
            ("b", Load::Waits, &[]),
            ("c", Load::Compiles, &[]),
            ("d", Load::Compiles, &[]),
            ("e", Load::Waits, &[]),
        ];
        let mut schedule = Schedule::new(steps, |_| true);
        let started = [(); 4].map(|()| start(&mut schedule));
        assert_eq!(started, [Some("c"), Some("a"), Some("b"), None]);
        schedule.end("c", passed());
        assert_eq!(start(&mut schedule), Some("d"));
        schedule.end("d", passed());
        assert_eq!(start(&mut schedule), Some("e"), "no compiler is left");
    }

    #[test]
    fn a_measuring_step_runs_alone() {
        let steps: &[Fake] =
            &[("bench", Load::Alone, &[]), ("page", Load::Waits, &[]), ("cpu", Load::Alone, &[])];
        let mut schedule = Schedule::new(steps, |_| true);
        assert_eq!(start(&mut schedule), Some("page"));
        assert_eq!(start(&mut schedule), None);
        schedule.end("page", passed());
        assert_eq!(start(&mut schedule), Some("bench"));
        assert_eq!(start(&mut schedule), None);
        schedule.end("bench", passed());
        assert_eq!(start(&mut schedule), Some("cpu"));
    }

    #[test]
    fn steps_run_although_another_fails_unless_they_need_it() {
        let mut schedule = Schedule::new(STEPS, |_| true);
        assert_eq!(start(&mut schedule), Some("lint"));
        assert_eq!(start(&mut schedule), Some("build"));
        schedule.end("lint", failed());
        schedule.end("build", passed());
        assert_eq!(start(&mut schedule), Some("page"));
        assert_eq!(start(&mut schedule), Some("node"));
        schedule.end("node", failed());
        schedule.end("page", passed());
        assert_eq!(start(&mut schedule), None);
        let [.., (_, page), (_, node), (_, bench)] = &schedule.verdicts()[..] else {
            panic!("every step has a verdict");
        };
        assert!(matches!(page, Verdict::Passed { .. }));
        assert!(matches!(node, Verdict::Failed { .. }));
        assert_eq!(*bench, Verdict::NotRun { why: "node did not pass".to_owned() });
    }

    #[test]
    fn a_failed_step_fails_all_that_need_it_through_others() {
        let mut schedule = Schedule::new(STEPS, |step| step.0 == "bench");
        assert_eq!(start(&mut schedule), Some("build"));
        schedule.end("build", failed());
        assert_eq!(start(&mut schedule), None);
        let verdicts = schedule.verdicts();
        assert_eq!(verdicts.len(), 3, "bench, and what it needs");
        assert_eq!(verdicts[2].1, Verdict::NotRun { why: "node did not pass".to_owned() });
    }

    #[test]
    fn a_step_that_needs_a_skipped_one_is_skipped() {
        let mut schedule = Schedule::new(STEPS, |step| step.0 == "page");
        assert_eq!(start(&mut schedule), Some("build"));
        schedule.end("build", Verdict::Skipped { seconds: 0.0, why: "no tools".to_owned() });
        let why = "build was skipped".to_owned();
        assert_eq!(schedule.verdicts()[1].1, Verdict::Skipped { seconds: 0.0, why });
    }
}
