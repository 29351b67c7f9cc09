/// The words that made-up data consists of. Some need JSON escapes or several bytes a character, as real ones do.
enum Vocabulary {
    static let firstNames = [
        "Ann", "Bo", "Carla", "Dmitri", "Elif", "Femi", "Grace", "Hana", "Ivo", "Jun", "Kwame",
        "Łukasz", "Mei",
        "Noor", "Olu", "Priya", "Quentin", "Rosa", "Søren", "Tariq", "Uma", "Viktor", "Wren", "Zoë",
    ]
    static let lastNames = [
        "Olsen", "O'Brien", "García", "Müller", "Nguyen", "Okafor", "Petrov", "Quist", "Rossi",
        "Smith-Jones", "Tanaka",
        "Ünal", "van der Berg", "Wójcik", "李", "Zimmermann",
    ]
    static let companies = [
        "Northwind", "Contoso", "Fabrikam", "Initech", "Globex", "Umbra \"Labs\"", "Café Noir",
        "Acme & Sons",
        "Åkerlund", "Tyrell", "Stark/Wayne", "Hooli",
    ]
    static let topics = [
        "Renewal", "Pipeline review", "Discovery", "Onboarding", "Quarterly \"business\" review",
        "Pricing", "Kick-off",
        "Security questions", "Demo 🚀", "Follow-up", "Contract \\ terms", "Support hand-over",
    ]
    static let tags = [
        "Renewal", "Churn risk", "Competitor", "Pricing", "Upsell", "Escalation", "Demo", "Legal",
        "Élan", "Q3",
    ]
    static let tasks = [
        "Send the revised quote", "Book the security review", "Share the recording",
        "Ask \"finance\" for approval",
        "Update the forecast", "Introduce the new owner", "Draft the order form",
        "Check the SSO set-up",
    ]
    static let signalNames = [
        "Price concern", "Buying intent", "Competitor mentioned", "Champion left", "Budget approved",
        "Timeline slipped",
    ]
    static let signalTypes = ["risk", "intent", "sentiment", "topic"]
    static let jobTitles = [
        "Account Executive", "Head of Sales", "Solutions Engineer", "Customer Success Manager",
    ]
    static let timeZones = ["America/New_York", "Europe/Oslo", "Asia/Tokyo", "UTC"]
    static let sources = ["hubspot", "salesforce"]
    static let dataSources = ["dialer", "zoom", "google_meet", "upload", "calendar"]
    static let sentences = [
        "Good morning, thanks for making the time.", "Could you walk us through the numbers again?",
        "We were told \"no later than Friday\", is that still true?",
        "Let me share my screen — one moment.",
        "The integration took two weeks longer than planned.",
        "That's a fair point, I'll write it down.",
        "Our budget is €40,000 for this year.", "I think security will want to see the report.",
        "Who else should be in the next call?", "It works well for the team in São Paulo.",
        "Honestly, the other vendor was 20% cheaper.", "Then we agree on the next steps.",
        "Path is C:\\reports\\q3, I believe.", "Great 👍 talk to you next week.",
    ]
}
