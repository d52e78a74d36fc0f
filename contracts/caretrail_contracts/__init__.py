"""The shared language of Caretrail: every event on the wire, its envelope, and the CloudEvents codec."""
