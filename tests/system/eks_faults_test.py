# labels: aws
"""`ebbgate eks` when it is killed, interrupted, or meets an AWS that fails: it says what to do next,
and the next run goes on."""

import concurrent.futures
import os
import signal

from harness.aws import Emulator
from harness.eks import SAMPLE, STACKS, STEPS, EksCase
from harness.testing import main

FAULTS = int(os.environ.get("EBBGATE_TEST_FAULTS", "1000"))


class Interrupted(EksCase):
    def end_at_every_call(self, how, command, *flags):
        """The first run is ended at its first call to CloudFormation, the second at its second, and
        so on until one comes to its end. Out: how many there were."""
        service, ordered = self.aws.cloudformation, self.aws.cloudformation.call
        left, process = [0], []

        def call(*arguments):
            left[0] -= 1
            if left[0] == 0:
                process[0].send_signal(how)
            return ordered(*arguments)
        service.call = call
        for number in range(1, 500):
            left[0] = 10**9
            process[:] = [self.start(command, *flags)]
            left[0] = number
            done = self.finish(process[0])
            if done.returncode == 0:
                service.call = ordered
                return number
            if how == signal.SIGINT:
                self.assertEqual(1, done.returncode, done.stderr[-2000:])
                self.assertRegex(done.stdout + done.stderr, r"(?m)^next: \w")
        return self.fail("it never came to an end")

    def check(self, how):
        # Each finished stack takes two calls before the next is worked on.
        self.assertGreater(self.end_at_every_call(how, "apply"), 2 * len(STEPS))
        self.assert_stands()
        self.assertIn("nothing has changed", self.succeed("apply"))

    def test_a_new_deployment_killed_at_any_call_is_completed_by_the_next_run(self):
        ordered = self.aws.cloudformation.call
        number, was_killed = 0, True
        while was_killed:
            number += 1
            left, process = [10**9], []

            def call(*arguments):
                left[0] -= 1
                if left[0] == 0:
                    process[0].kill()
                return ordered(*arguments)
            self.aws.cloudformation.call = call
            process[:] = [self.start("apply")]
            left[0] = number
            was_killed = self.finish(process[0]).returncode != 0
            self.aws.cloudformation.call = ordered
            self.succeed("apply")
            self.assert_stands()
            self.aws.close()
            self.aws = self.enter(Emulator(region="eu-west-2"))
            self.engine = self.aws.cloudformation.engine
            self.engine.seconds = 0
            self.text = SAMPLE.read_text()
            self.place_bastion()
            ordered = self.aws.cloudformation.call
        self.assertGreater(number, 6 * len(STEPS))

    def test_killed_at_every_call_it_goes_on(self):
        self.check(signal.SIGKILL)

    def test_interrupted_at_every_call_it_says_what_next_and_goes_on(self):
        self.check(signal.SIGINT)

    def test_interrupted_in_the_middle_of_a_stack_it_follows_it(self):
        self.engine.seconds = 0.05
        process = []
        self.before("ExecuteChangeSet", "EKSdemo-vpc", lambda: process[0].kill(), after=True)
        process.append(self.start("apply"))
        self.finish(process[0])
        self.assertEqual({"EKSdemo-vpc": "CREATE_IN_PROGRESS"}, self.statuses())
        self.assertIn("is CREATE_IN_PROGRESS: following it", self.succeed("apply"))
        self.assert_stands()

    def test_killed_at_every_call_while_it_destroys_it_goes_on(self):
        self.succeed("apply")
        self.end_at_every_call(signal.SIGKILL, "destroy", "--yes")
        self.assertEqual({}, self.statuses())


class Faults(EksCase):
    def meet(self, wanted, first_seed):
        """Applies and destroys until so many faults were met. Out: how many."""
        self.aws.ec2.address_quota = 10**6  # those of earlier deployments are retained
        seed, met = first_seed, 0
        while met < wanted:
            seed += 1
            self.aws.requests.clear()
            self.aws.faults.random(seed, (0.05, 0.2, 0.5)[seed % 3])
            stands = self.statuses() == dict.fromkeys(STACKS, "CREATE_COMPLETE")
            done = self.run_eks("destroy" if stands else "apply", "--yes",
                                "--call-timeout", "200ms")
            met += sum(1 for call in self.aws.requests if call.fault)
            said = done.stdout + done.stderr
            self.assertIn(done.returncode, (0, 1), f"seed {seed}\n{said[-2000:]}")
            if done.returncode:
                self.assertRegex(said, r"(?m)^next: \w", f"seed {seed}\n{said[-2000:]}")
        self.aws.faults.clear()
        self.succeed("apply", "--yes")
        self.assert_stands()
        return met

    def test_a_thousand_faults_never_leave_a_deployment_without_a_next_step(self):
        # Most of the time goes into answers that never come, so several deployments wait at once.
        count = 5
        others = [EksCase("run") for _ in range(count - 1)]
        self.assertGreaterEqual(self.meet_in(others, count), FAULTS)

    def meet_in(self, others, count):
        for each in others:
            each.setUp()
            self.addCleanup(each.doCleanups)
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            shares = [pool.submit(Faults.meet, each, FAULTS / count, 1000 * number)
                      for number, each in enumerate([self, *others])]
            return sum(share.result() for share in shares)


if __name__ == "__main__":
    main()
