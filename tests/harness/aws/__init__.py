"""The tests' own AWS: an emulator of the services that the program uses, which checks every
signature and permission, and the metadata servers of its instances. Use as

    with Emulator() as aws:
        aws.ssm.put("/allowlist", text)
        aws.faults.next("ssm", "GetParameter", "throttle", 2)
        run(program, env={**os.environ, **aws.environment()})
        self.assertEqual(3, len(aws.calls("ssm", "GetParameter")))
"""

from .emulator import Clock, Emulator  # noqa: F401
from .faults import Faults  # noqa: F401
from .metadata import MetadataServer  # noqa: F401
from .protocols import AwsError  # noqa: F401
