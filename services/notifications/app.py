"""Notifications, wired."""

from __future__ import annotations

from caretrail_contracts.notifications import MessageReleased, StaffNoticeReleased

from chassis.service import Effect, Service
from services.notifications.adapters.mailer import send_message, send_notice
from services.notifications.api.routes import router
from services.notifications.commands import messages, notices, preferences, tasks
from services.notifications.commands.registry import handlers
from services.notifications.options import Options
from services.notifications.policies import messages as message_policies
from services.notifications.policies import tasks as task_policies
from services.notifications.policies.registry import policies
from services.notifications.projections.messages import MessageLog
from services.notifications.projections.patients import Contacts, Episodes, RiskFlags
from services.notifications.projections.seats import Seats
from services.notifications.projections.tasks import TaskBoard

REGISTERING = (messages, notices, preferences, tasks, message_policies, task_policies)
"""Modules that register their handlers and policies when they are imported."""

PROJECTIONS = (MessageLog(), TaskBoard(), Contacts(), RiskFlags(), Episodes(), Seats())

service = Service(
    name="notifications",
    handlers=handlers,
    policies=policies,
    projections=PROJECTIONS,
    router=router,
    effects=(
        Effect("mailer", MessageReleased, send_message),
        Effect("notifier", StaffNoticeReleased, send_notice),
    ),
    options=Options(),
)
