"""R4's resource types, and the shape of those that the reader uses, by the R4B models of fhir.resources."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from .document import pointer_to
from .node import Node

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# R4 (4.0.1), https://hl7.org/fhir/R4/resourcelist.html
_RESOURCE_TYPES = """
Account ActivityDefinition AdverseEvent AllergyIntolerance Appointment AppointmentResponse AuditEvent Basic
Binary BiologicallyDerivedProduct BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry
ChargeItem ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem Communication
CommunicationRequest CompartmentDefinition Composition ConceptMap Condition Consent Contract Coverage
CoverageEligibilityRequest CoverageEligibilityResponse DetectedIssue Device DeviceDefinition DeviceMetric
DeviceRequest DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis
Encounter Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence
EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag Goal GraphDefinition Group
GuidanceResponse HealthcareService ImagingStudy Immunization ImmunizationEvaluation
ImmunizationRecommendation ImplementationGuide InsurancePlan Invoice Library Linkage List Location Measure
MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization
MedicinalProductContraindication MedicinalProductIndication MedicinalProductIngredient
MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader
MolecularSequence NamingSystem NutritionOrder Observation ObservationDefinition OperationDefinition
OperationOutcome Organization OrganizationAffiliation Parameters Patient PaymentNotice PaymentReconciliation
Person PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse
RelatedPerson RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy ResearchSubject
RiskAssessment RiskEvidenceSynthesis Schedule SearchParameter ServiceRequest Slot Specimen
SpecimenDefinition StructureDefinition StructureMap Subscription Substance SubstanceNucleicAcid
SubstancePolymer SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial
SubstanceSpecification SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript
ValueSet VerificationResult VisionPrescription
"""
RESOURCE_TYPES = frozenset(_RESOURCE_TYPES.split())

# Types whose content the reader uses: their shape is checked in full; others need a known name, sound JSON.
# R4B (4.3.0) left these as R4 has them. The models cost 0.3 s and 20 MB: imported when a file comes in.
_READ_TYPES = """
Bundle Claim ClaimResponse Condition Coverage Device DiagnosticReport DocumentReference Observation
Organization Patient Practitioner PractitionerRole RelatedPerson ServiceRequest Task
"""
READ_TYPES = frozenset(_READ_TYPES.split())

# R4 extensibility: an unknown modifier extension must not be ignored; a reader that
# does not know it may not go on.
UNMODIFIED_TYPES = frozenset({"Coverage", "Patient", "ServiceRequest", "Task"})

_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_DATE = "YYYY, YYYY-MM or YYYY-MM-DD; with a time, its seconds and zone too"
_NOT_ALLOWED = ("a value that R4 does not allow here", "a value of the element's type")
_WHAT = {
    "extra_forbidden": ("an element that R4 does not know here", "only elements of R4"),
    "model_field_validation.missing": ("a required element is missing", "the element that R4 requires"),
    "missing": ("a required element is missing", "the element that R4 requires"),
    "list_type": ("not an array", "an array"),
    "json_invalid": ("not an object", "an object"),
    "model_validation_format": ("not an object", "an object"),
    "string_type": ("not a string", "a string"),
    "bool_parsing": ("not a boolean", "true or false"),
    "string_pattern_mismatch": ("text that breaks the form of its type", "the form that R4 gives the type"),
}


def check(resource_type: str, node: Node) -> None:
    """Refuse a resource that breaks R4; contained ones and a Bundle's are left to calls of their own."""
    if resource_type in UNMODIFIED_TYPES:
        for name in ("modifierExtension", "implicitRules"):
            if name in node.content:
                raise node.refusal(name, "it may change the meaning in a way unknown here", "none")
    if (id := node.text("id")) is not None and not _ID.fullmatch(id):
        raise node.refusal("id", *_WHAT["string_pattern_mismatch"])
    if resource_type not in READ_TYPES:
        return
    module = importlib.import_module(f"fhir.resources.R4B.{resource_type.lower()}")
    content = {name: value for name, value in node.content.items() if name != "contained"}
    if resource_type == "Bundle":
        content["entry"] = [_without_resource(entry) for entry in node.children("entry")]
    try:
        getattr(module, resource_type).model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    except (AttributeError, KeyError, TypeError):
        # fhir-core 1.1 crashes on values of a type that it does not expect
        raise node.refusal(None, "a value of a wrong type", f"an R4 {resource_type}") from None
    else:
        return
    raise _refusal(node, first)


def _without_resource(entry: Node) -> dict[str, object]:
    return {name: value for name, value in entry.content.items() if name != "resource"}


def _location(error: ErrorDetails) -> tuple[int | str, ...]:
    """Where in the resource; fhir-core adds a "root" of its own below an element of a wrong type."""
    loc = error["loc"]
    return loc[:-1] if loc[-1:] == ("root",) else loc


def _refusal(node: Node, error: ErrorDetails) -> Exception:
    place = Node(node.file, node.pointer, {})
    for part in _location(error):
        place = Node(node.file, pointer_to(place.pointer, part), {})
    if not error["loc"]:
        return place.refusal(None, "two values for one choice of types", "one element of each [x]")
    if error["type"].startswith("date") or "Date" in error["msg"] or "Instant" in error["msg"]:
        return place.refusal(None, "not a date or time that exists", _DATE)
    what, expected = _WHAT.get(error["type"], _NOT_ALLOWED)
    return place.refusal(None, what, expected)
