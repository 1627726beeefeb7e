//! Which instance this is. Learned once, beside the polls; it also proves that the metadata service is that of the
//! configured cloud, since 404 alone looks like "all quiet" anywhere.

use crate::event::{Event, Field};
use crate::fetch::Answer;
use crate::json::{Scalar, pick};
use crate::spot::service::{Service, WRONG_CLOUD, Why, answers, excerpt, text_of};

/// Bytes of one item.
const MAX_ITEM: usize = 64;

/// What is known of this instance; what is not known is empty.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Instance id.
    pub instance: String,
    /// Region.
    pub region: String,
    /// Zone.
    pub zone: String,
    /// Instance type.
    pub instance_type: String,
    /// Private IPv4 address.
    pub address: String,
}

impl Identity {
    /// Adds what is known to `event`.
    pub fn facts(&self, event: Event) -> Event {
        event
            .with_text(Field::Instance, &self.instance)
            .with_text(Field::Region, &self.region)
            .with_text(Field::Zone, &self.zone)
            .with_text(Field::InstanceType, &self.instance_type)
            .with_text(Field::Address, &self.address)
    }

    /// In one line, for `status` and the log; empty if nothing is known.
    pub fn text(&self) -> String {
        let mut text = self.instance.clone();
        let mut mark = " (";
        for item in [&self.zone, &self.instance_type, &self.address] {
            if !item.is_empty() {
                text.push_str(mark);
                text.push_str(item);
                mark = ", ";
            }
        }
        if mark == ", " {
            text.push(')');
        }
        text
    }
}

/// Keys of the document of Alibaba Cloud, in the order of [`Identity`].
const DOCUMENT: [&str; 5] = ["instance-id", "region-id", "zone-id", "instance-type", "private-ipv4"];

/// How far the identity has been learned. Asks nobody: it says what to ask next and hears the answer.
pub struct Learner {
    service: &'static Service,
    identity: Identity,
    step: Step,
    why: Option<Why>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Document,
    Instance,
    Region,
    Zone,
    InstanceType,
    Address,
    Done,
}

impl Learner {
    /// Nothing is known yet.
    pub fn new(service: &'static Service) -> Learner {
        Learner { service, identity: Identity::default(), step: Learner::first(service), why: None }
    }

    fn first(service: &Service) -> Step {
        if service.document.is_some() { Step::Document } else { Step::Instance }
    }

    /// What has been learned.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether this certainly is the configured cloud.
    pub fn is_verified(&self) -> bool {
        !self.identity.instance.is_empty()
    }

    /// Why it is not certain, as far as that is known.
    pub fn why(&self) -> Why {
        let unread = || Why { text: "the instance id could not be read yet".to_owned(), hint: WRONG_CLOUD };
        self.why.clone().unwrap_or_else(unread)
    }

    /// The path to ask for next; `None` if everything is known.
    pub fn next(&self) -> Option<&'static str> {
        let items = &self.service.items;
        match self.step {
            Step::Document => self.service.document,
            Step::Instance => Some(items.instance),
            Step::Region => Some(items.region),
            Step::Zone => Some(items.zone),
            Step::InstanceType => Some(items.instance_type),
            Step::Address => Some(items.address),
            Step::Done => None,
        }
    }

    /// There was no answer: the same is asked again in the next cycle.
    pub fn unanswered(&mut self, why: Why) {
        self.why = Some(why);
    }

    /// Hears the answer to [`Learner::next`]. False if that is all for this cycle.
    pub fn hear(&mut self, answer: &Answer) -> bool {
        if self.step == Step::Document {
            let document = (answer.status == 200).then(|| read(&answer.body)).flatten();
            self.step = if document.is_some() { Step::Done } else { Step::Instance };
            self.identity = document.unwrap_or_default();
            return true;
        }
        if answer.status >= 500 {
            self.why = Some(Why { text: answers(self.item(), answer.status), hint: "" });
            return false;
        }
        let value = if answer.status == 200 { item(text_of(&answer.body)) } else { String::new() };
        let (place, next) = match self.step {
            Step::Instance if !is_instance_id(&value) => {
                self.why = Some(self.not_this_cloud(answer));
                self.step = Learner::first(self.service);
                return false;
            }
            Step::Instance => (&mut self.identity.instance, Step::Region),
            Step::Region => (&mut self.identity.region, Step::Zone),
            Step::Zone => (&mut self.identity.zone, Step::InstanceType),
            Step::InstanceType => (&mut self.identity.instance_type, Step::Address),
            Step::Address => (&mut self.identity.address, Step::Done),
            Step::Document | Step::Done => return true,
        };
        *place = value;
        self.step = next;
        true
    }

    /// The last part of the path asked for.
    fn item(&self) -> &'static str {
        self.next().and_then(|path| path.rsplit('/').next()).unwrap_or_default()
    }

    fn not_this_cloud(&self, answer: &Answer) -> Why {
        let said = if answer.status == 200 { excerpt(&answer.body) } else { answer.status.to_string() };
        let cloud = self.service.cloud.name();
        let text = ["this does not look like ", cloud, ": ", self.item(), " answers ", &said].concat();
        Why { text, hint: WRONG_CLOUD }
    }
}

fn read(body: &[u8]) -> Option<Identity> {
    let mut items = pick(body, &DOCUMENT)?.into_iter().map(|value| match value {
        Some(Scalar::Text(text)) => item(&text),
        _ => String::new(),
    });
    let mut next = || items.next().unwrap_or_default();
    let (instance, region, zone, instance_type, address) = (next(), next(), next(), next(), next());
    is_instance_id(&instance).then_some(Identity { instance, region, zone, instance_type, address })
}

/// `text` if it can be an item: short, without spaces and control characters.
fn item(text: &str) -> String {
    if text.len() <= MAX_ITEM && text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>')) {
        text.to_owned()
    } else {
        String::new()
    }
}

/// Ids look like `i-bp67acfmxazb4ph` and `ins-a1b2c3d4`; older ones differ, so the check is lenient.
fn is_instance_id(text: &str) -> bool {
    (3..=MAX_ITEM).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::Cloud;
    use crate::run::threads::{HTTP_STACK, spawn};

    const WHOLE: &str = r#"{"zone-id":"cn-hangzhou-b","serial-number":"4a5b","instance-id":"i-bp67acfmxazb4ph",
        "region-id":"cn-hangzhou","private-ipv4":"10.0.0.7","owner-account-id":"1","mac":"00:16","image-id":"x",
        "instance-type":"ecs.g6.large"}"#;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: Vec::new(), body: body.into() }
    }

    fn learn(cloud: Cloud, answers: &[(&str, u16, &str)]) -> Learner {
        let mut learner = Learner::new(Service::of(cloud));
        for (end, status, body) in answers {
            assert!(learner.next().unwrap().ends_with(end), "{end} is not {:?}", learner.next());
            learner.hear(&answer(*status, body));
        }
        learner
    }

    #[test]
    fn one_document_says_it_all() {
        let learner = learn(Cloud::AliCloud, &[("identity/document", 200, WHOLE)]);
        assert!(learner.is_verified() && learner.next().is_none());
        assert_eq!(learner.identity().text(), "i-bp67acfmxazb4ph (cn-hangzhou-b, ecs.g6.large, 10.0.0.7)");
        assert_eq!(learner.identity().region, "cn-hangzhou");
    }

    #[test]
    fn without_a_document_the_items_are_read() {
        for (status, body) in [(404, ""), (200, "<html>"), (200, r#"{"instance-id":"<b>"}"#), (200, "{}"), (403, "")] {
            let learner = learn(
                Cloud::AliCloud,
                &[
                    ("document", status, body),
                    ("/instance-id", 200, "i-abc\n"),
                    ("/region-id", 200, "cn-hangzhou"),
                    ("/zone-id", 404, "<html>no such item</html>"),
                    ("/instance-type", 200, "<html>"),
                    ("/private-ipv4", 200, "10.0.0.7"),
                ],
            );
            assert!(learner.next().is_none());
            assert_eq!(learner.identity().text(), "i-abc (10.0.0.7)");
        }
    }

    #[test]
    fn another_cloud_is_said() {
        for (status, body, end) in [
            (404, "", "instance-id answers 404"),
            (403, "i-abc", "instance-id answers 403"),
            (200, "", "instance-id answers \"\""),
            (200, "<html><body>Log in</body></html>", "answers \"<html><body>Log in</body></html>\""),
        ] {
            let learner = learn(Cloud::AliCloud, &[("document", 404, ""), ("/instance-id", status, body)]);
            assert!(!learner.is_verified());
            assert!(learner.why().text.starts_with("this does not look like AliCloud: "), "{}", learner.why().text);
            assert!(learner.why().text.ends_with(end), "{}", learner.why().text);
            assert!(learner.next().unwrap().ends_with("document"), "it starts over");
        }
    }

    #[test]
    fn a_fault_is_asked_again() {
        let mut learner = learn(Cloud::TencentCloud, &[("/instance-id", 200, "ins-a1b2c3d4")]);
        assert!(learner.is_verified());
        assert!(!learner.hear(&answer(503, "")));
        assert!(learner.next().unwrap().ends_with("/placement/region"));
        assert!(learner.hear(&answer(200, "ap-guangzhou")));
        assert_eq!(learner.identity().region, "ap-guangzhou");
    }

    #[test]
    fn deep_json_fits_the_stack() {
        let deep = format!("{{\"x\":{}", "[".repeat(60_000));
        let thread = spawn("deep", HTTP_STACK, move || read(deep.as_bytes()));
        assert_eq!(thread.unwrap().join().unwrap(), None);
    }
}
