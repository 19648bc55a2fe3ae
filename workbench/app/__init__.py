"""The app: Streamlit pages by role, and the routes that the labelling console talks to."""
